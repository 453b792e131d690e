"""A decoded data set as a file: what is read is what was written, and damage is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nasoa.data import ImageDataset, load_dataset
from nasoa.data.decoded_file import (
    BYTES_PER_S,
    SPLITS,
    is_worth_handing_over,
    read_decoded,
    write_decoded,
)
from nasoa.errors import CorruptRecord


@pytest.fixture
def dataset(tmp_path: Path) -> ImageDataset:
    """Two classes of images, some of them with 12 bits a pixel."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(20):
            deep = rng.integers(0, 4096, (40, 50)).astype(np.uint16)
            plain = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
            Image.fromarray(deep if i % 2 else plain).save(tmp_path / "data" / name / f"{i}.png")
    return load_dataset(str(tmp_path / "data"), seed=0)


def test_what_is_read_is_what_was_written(dataset: ImageDataset, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "decoded"
    write_decoded(dataset, path)
    found = read_decoded(path)
    for name in SPLITS:
        split, other = getattr(dataset, name), getattr(found, name)
        everything = torch.arange(len(split))
        assert torch.equal(other.labels, split.labels)
        assert torch.equal(other.images(everything), split.images(everything))
    splits = {name: getattr(dataset, name) for name in SPLITS}
    assert replace(found, **splits) == dataset
    assert found.grey_range is not None


def test_every_damage_is_noticed(dataset: ImageDataset, tmp_path: Path) -> None:
    path = tmp_path / "decoded"
    write_decoded(dataset, path)
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    damaged = [good[:length] for length in (0, 7, len(good) // 2, len(good) - 1)]
    for place in rng.integers(0, len(good), 60).tolist():
        damaged.append(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(CorruptRecord):
            read_decoded(path)


def test_only_what_takes_longer_to_decode_is_handed_over(dataset: ImageDataset) -> None:
    assert dataset.decoding_s > 0
    num_bytes = 40 * 3 * dataset.resolution**2
    assert is_worth_handing_over(replace(dataset, decoding_s=1.1 * num_bytes / BYTES_PER_S))
    assert not is_worth_handing_over(replace(dataset, decoding_s=0.9 * num_bytes / BYTES_PER_S))
    assert not is_worth_handing_over(replace(dataset, decoding_s=0.0))
