"""Batches of image files: their order, their errors, and their memory."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data import image_batches
from nasoa.data.image_stream import BATCHES_AHEAD


@pytest.fixture
def grey(tmp_path: Path) -> list[str]:
    """Ten images; all pixels of number i are i."""
    paths = [str(tmp_path / f"{i}.png") for i in range(10)]
    for i, path in enumerate(paths):
        Image.new("L", (8, 8), i).save(path)
    return paths


def test_batches_are_in_order_and_name_what_failed(grey: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no image")
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    bad, large, absent = (str(tmp_path / name) for name in ("bad.jpg", "large.png", "no\nne.png"))
    paths = [*grey[:3], bad, *grey[3:], large, absent]
    batches = list(image_batches(paths, 32, 4, DataConfig(max_pixels=2000)))
    assert [path for batch in batches for path in batch.paths] == paths
    assert [len(batch.paths) for batch in batches] == [4, 4, 4, 1]
    pixels = np.concatenate([batch.images.numpy() for batch in batches])
    assert pixels.shape == (10, 3, 32, 32)
    assert [int(image.max()) for image in pixels] == list(range(10))
    errors = [batch.errors for batch in batches]
    assert [list(e) for e in errors] == [[3], [], [3], [0]]
    assert "bad.jpg cannot be read as an image: not an image" in errors[0][3]
    assert "large.png has 50 x 50 pixels: expected at most 2000" in errors[2][3]
    assert errors[3][0].startswith("no image file ")


def test_a_file_that_cannot_be_opened_is_an_error_of_its_own(grey: list[str]) -> None:
    (batch,) = image_batches([grey[0], "x" * 5000, f"{grey[0]}/x", ".", grey[1]], 32, 8)
    assert list(batch.errors) == [1, 2, 3]
    assert len(batch.images) == 2


def test_no_more_is_read_than_a_few_batches_need(grey: list[str]) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield grey[0]

    batches = image_batches(endless(), 32, 5)
    for number in range(1, 20):
        next(batches)
        assert taken == 5 * (number + BATCHES_AHEAD)
    threads = threading.active_count()
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() < threads


def test_memory_does_not_grow_with_the_number_of_images(grey: list[str]) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in image_batches(iter(grey[:1] * count), 96, 16):
            pass
        (_, most) = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(64)  # let one-time allocations happen
    few, many = peak(128), peak(1280)
    batch_bytes = 16 * 3 * 96 * 96
    assert few > 2 * batch_bytes  # the images dominate the measured memory
    assert many < few + batch_bytes
