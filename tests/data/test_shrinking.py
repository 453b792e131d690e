"""Images of a data set at a smaller resolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset, subset
from nasoa.data.augment import to_float
from nasoa.data.dataset import DiskSplit, ImageSplit
from nasoa.data.shrinking import shrink, small_images
from nasoa.errors import TimeLimitError

from .conftest import MakeFolder


@pytest.fixture
def data(make_folder: MakeFolder) -> ImageDataset:
    return load_dataset(str(make_folder({"cat": 60, "dog": 60})), seed=0, resolution=96)


def test_images_are_those_that_batches_are_resized_to(data: ImageDataset) -> None:
    chosen = torch.tensor([7, 3, 40])
    images = small_images(data.train, chosen, 40)
    assert (images.dtype, images.shape) == (torch.uint8, (3, 3, 40, 40))
    expected = to_float(data.train.images(chosen), 40) * 255
    assert (images.float() - expected).abs().max() <= 2


def test_pillow_resizes_the_same_way() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    image = Image.fromarray(pixels.transpose(1, 2, 0)).resize((64, 64), Image.Resampling.BILINEAR)
    resized = shrink(torch.from_numpy(pixels)[None], 64)[0].numpy().transpose(1, 2, 0)
    assert np.abs(resized.astype(int) - np.asarray(image)).max() <= 2


def test_what_is_not_larger_stays_as_it_is(data: ImageDataset) -> None:
    everything = torch.arange(len(data.train))
    for resolution in (96, 224):
        images = small_images(data.train, everything, resolution)
        assert torch.equal(images, data.train.images(everything))


def test_every_kind_of_split_is_shrunk_alike(
    data: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = subset(data, [0, 1], np.random.default_rng(0), per_class=5).train
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    config = DataConfig(memory_budget_bytes=0)
    on_disk = load_dataset(data.data, seed=0, resolution=96, config=config).train
    assert isinstance(on_disk, DiskSplit)

    def images_of(split: ImageSplit, rows: torch.Tensor) -> torch.Tensor:
        return small_images(split, rows, 32)

    rows = torch.arange(len(part))
    assert torch.equal(images_of(part, rows), images_of(data.train, part.rows))
    assert torch.equal(images_of(on_disk, part.rows), images_of(data.train, part.rows))


def test_the_time_is_checked_between_batches(data: ImageDataset) -> None:
    def over(_share: float = 0.0, _since_s: float = 0.0) -> None:
        raise TimeLimitError("over")

    with pytest.raises(TimeLimitError, match="over"):
        small_images(data.train, torch.arange(4), 32, over)
