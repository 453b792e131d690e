"""What kinds share: small images, and files and sources as nasoa reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.decode import image_warnings
from nasoa.data.file_source import FileSource
from nasoa.data.grey_range import sampled_range
from nasoa.data.loading import check_unreadable, load_dataset
from nasoa.data.open_data import open_source
from nasoa.data.reader import ImageReader
from nasoa.data.source import ImageSource
from nasoa.data.splits import check_classes, split_indices
from tests.fuzz.oracle import check_lines

# As the defaults, but all sizes smaller, and so is the memory that cases may take.
CONFIG = DataConfig(
    max_pixels=1_000_000,
    max_total_pixels=4_000_000,
    max_entries=2000,
    max_file_bytes=8 * 1024**2,
    max_archive_bytes=16 * 1024**2,
    max_bad_share=0.7,
    workers=1,
)
RESOLUTION = 32
NAMES = ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")


@cache
def png(number: int = 0) -> bytes:
    """A small image."""
    pixels = np.random.default_rng(number).integers(0, 256, (5, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def place(folder: Path, name: str, content: bytes) -> Path:
    """Write a new file; what was there under its name may still be mapped."""
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


class MemoryFiles:
    """A `FileSet` in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.paths = list(files)

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self._files[path])

    def stamp(self, paths: Sequence[str]) -> str | None:
        return None


def read_path(path: Path, *, whole: bool) -> None:
    """Read DATA at a path: with `whole` as a task does, else the source and its images alone."""
    if whole:
        load_dataset(str(path), seed=0, resolution=RESOLUTION, config=CONFIG)
    else:
        read_source(open_source(str(path), CONFIG, None))


def read_files(files: Mapping[str, bytes], table: str = "") -> None:
    """Read files as the archive or folder that they are in is read."""
    read_source(FileSource(MemoryFiles(files), "set", "set.zip", CONFIG, table=table))


def read_source(source: ImageSource) -> None:
    """Read all images of a source, by the functions that `load_dataset` uses."""
    check_classes(source.records, "DATA", CONFIG)
    with image_warnings():
        grey = sampled_range(source, "DATA", CONFIG.max_pixels)
    reader = ImageReader(
        source,
        RESOLUTION,
        CONFIG.max_pixels,
        CONFIG.workers,
        grey_range=grey,
        max_total_pixels=CONFIG.max_total_pixels,
    )
    _sizes, without_size = reader.sizes(range(len(source.records)))
    check_lines(without_size.values())
    images = np.zeros(reader.shape, np.uint8)
    unreadable = reader.read_all(images)
    check_lines(unreadable.values())
    check_unreadable(unreadable, len(source.records), "DATA", CONFIG)
    good = [r for index, r in enumerate(source.records) if index not in unreadable]
    check_classes(good, "DATA", CONFIG)
    parts = split_indices(good, seed=0, config=CONFIG)
    assert sorted(index for own in parts.values() for index in own) == list(range(len(good)))
