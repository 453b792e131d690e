"""Data sets at a smaller resolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset, subset
from nasoa.data.augment import to_float
from nasoa.data.dataset import MemorySplit

from .conftest import MakeFolder


@pytest.fixture
def data(make_folder: MakeFolder) -> ImageDataset:
    return load_dataset(str(make_folder({"cat": 60, "dog": 60})), seed=0, resolution=96)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_images_are_those_that_batches_are_resized_to(data: ImageDataset, split: str) -> None:
    large, small = getattr(data, split), getattr(data.at(40), split)
    everything = torch.arange(len(large))
    assert isinstance(small, MemorySplit)
    assert torch.equal(small.labels, large.labels)
    images = small.images(everything)
    assert (images.dtype, images.shape) == (torch.uint8, (len(large), 3, 40, 40))
    expected = to_float(large.images(everything), 40) * 255
    assert (images.float() - expected).abs().max() <= 2


def test_pillow_resizes_the_same_way() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224), dtype=np.uint8)
    split = MemorySplit(torch.from_numpy(pixels), torch.tensor([0]), torch.tensor([0]))
    image = Image.fromarray(pixels[0].transpose(1, 2, 0)).resize(
        (64, 64), Image.Resampling.BILINEAR
    )
    resized = split.at(64).images(torch.tensor([0]))[0].numpy().transpose(1, 2, 0)
    assert np.abs(resized.astype(int) - np.asarray(image)).max() <= 2


def test_a_data_set_is_resized_once(data: ImageDataset) -> None:
    small = data.at(40)
    assert small.resolution == 40
    assert small.image_resolution == data.image_resolution
    assert data.at(40) is small
    assert data.at(32) is not small
    assert small.at(32).resolution == 32
    assert small.at(64) is small


def test_what_is_not_larger_or_not_in_memory_stays_as_it_is(
    data: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data.at(96) is data
    assert data.at(224) is data
    part = subset(data, [0, 1], np.random.default_rng(0), per_class=5)
    assert part.at(32) is part
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    on_disk = load_dataset(
        data.data, seed=0, resolution=96, config=DataConfig(memory_budget_bytes=0)
    )
    assert on_disk.at(32) is on_disk
