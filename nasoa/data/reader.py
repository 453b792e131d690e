"""Reads the images of a source at one resolution, and finds out which cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.data.decode import UnreadableImage, check_size, decode, image_warnings, reading
from nasoa.data.source import ImageSource

# Images that a thread takes at a time.
_CHUNK = 64

# Index -> why the image cannot be read.
Unreadable = dict[int, str]


@dataclass(frozen=True)
class ImageReader:
    """The images of a source at one resolution.

    Args:
        source: where they are.
        resolution: height and width that they are brought to.
        max_pixels: an image with more is an error.
        workers: threads.
    """

    source: ImageSource
    resolution: int
    max_pixels: int
    workers: int

    def read(self, index: int) -> NDArray[np.uint8]:
        """`(3, resolution, resolution)` of one image; `UnreadableImage` where it is none."""
        path = self.source.records[index].path
        opener = partial(self.source.open, index)
        return decode(opener, path, self.resolution, self.max_pixels)

    def read_all(self) -> tuple[Tensor, Unreadable]:
        """`(n, 3, resolution, resolution)` uint8 of all images, and those that cannot be read.

        Rows of images that cannot be read hold nothing of use.
        """
        count = len(self.source.records)
        images = np.empty((count, 3, self.resolution, self.resolution), np.uint8)

        def read_row(index: int) -> None:
            images[index] = self.read(index)

        unreadable = self._in_threads(read_row, range(count))
        return torch.from_numpy(images), unreadable

    def sizes(self, indices: Sequence[int]) -> tuple[list[tuple[int, int]], Unreadable]:
        """Widths and heights of images, from their headers, and those that cannot be read."""
        sizes: list[tuple[int, int]] = []

        def read_size(index: int) -> None:
            path = self.source.records[index].path
            size = reading(path, self.max_pixels, partial(self.source.size, index))
            check_size(size, path, self.max_pixels)
            sizes.append(size)

        unreadable = self._in_threads(read_size, indices)
        return sizes, unreadable

    def _in_threads(self, function: Callable[[int], None], indices: Sequence[int]) -> Unreadable:
        def run(chunk: Sequence[int]) -> Unreadable:
            problems = {}
            for index in chunk:
                try:
                    function(index)
                except UnreadableImage as error:
                    problems[index] = str(error)
            return problems

        chunks = [indices[start : start + _CHUNK] for start in range(0, len(indices), _CHUNK)]
        unreadable: Unreadable = {}
        with image_warnings(), ThreadPoolExecutor(self.workers) as pool:
            try:
                for problems in pool.map(run, chunks):
                    unreadable.update(problems)
            except BaseException:
                # Whoever interrupts, or gave too large an image, need not wait for the rest.
                pool.shutdown(cancel_futures=True)
                raise
        return unreadable
