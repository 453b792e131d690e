"""Reads the images of a source at one resolution, and finds out which cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.config import CheckTime, DataConfig, untimed
from nasoa.data.decode import UnreadableImage, check_size, decode, image_warnings, reading
from nasoa.data.grey_range import GreyRange
from nasoa.data.reading_limit import results_in_time, threads_to_leave
from nasoa.data.source import ImageSource
from nasoa.errors import DataError

# Images that a thread takes at a time, at most; fewer where there are few, so that no thread idles.
_CHUNK = 64
_CHUNKS_PER_WORKER = 16

# Index -> why the image cannot be read.
Unreadable = dict[int, str]


class PixelBudget:
    """Counts pixels, in several threads, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._lock = Lock()

    def take(self, num_pixels: int) -> None:
        """Take pixels out of the budget.

        Raises:
            DataError: more than there are.
        """
        with self._lock:
            self._left -= num_pixels
            if self._left < 0:
                raise DataError(
                    f"the images have more than {self._limit} pixels together: expected at most as "
                    "many; scale them down, or give shards"
                )


@dataclass(frozen=True)
class ImageReader:
    """The images of a source at one resolution.

    Args:
        source: where they are.
        resolution: height and width that they are brought to.
        max_pixels: an image with more cannot be read.
        workers: threads.
        grey_range: black and white of deep images.
        max_total_pixels: of all images that are read at once, as their files have them.
        check_time: ends the reading of many images where it would take too long.
    """

    source: ImageSource
    resolution: int
    max_pixels: int
    workers: int
    grey_range: GreyRange | None = None
    max_total_pixels: int = DataConfig.max_total_pixels
    check_time: CheckTime = untimed

    def read(self, index: int, budget: PixelBudget | None = None) -> NDArray[np.uint8]:
        """`(3, resolution, resolution)` of one image; `UnreadableImage` where it is none."""
        path = self.source.records[index].path

        def opener() -> Image.Image:
            image = self.source.open(index)
            if budget is not None:
                budget.take(image.width * image.height)
            return image

        return decode(opener, path, self.resolution, self.max_pixels, self.grey_range)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """`(n, 3, resolution, resolution)`, that of all images together."""
        return len(self.source.records), 3, self.resolution, self.resolution

    def read_all(self, images: NDArray[np.uint8]) -> Unreadable:
        """Read all images into an array of `shape`; return those that cannot be read.

        Rows of images that cannot be read hold nothing of use.

        Raises:
            DataError: all images together have more than `max_total_pixels`.
        """
        budget = PixelBudget(self.max_total_pixels)

        def read_row(index: int) -> None:
            images[index] = self.read(index, budget)

        return self._in_threads(read_row, range(len(images)))

    def undecodable(self, indices: Sequence[int]) -> Unreadable:
        """Those of some images that cannot be read, by reading them."""

        def read(index: int) -> None:
            self.read(index)

        return self._in_threads(read, indices)

    def sizes(self, indices: Sequence[int]) -> tuple[list[tuple[int, int]], Unreadable]:
        """Widths and heights of images, from their headers, and those that cannot be read."""
        sizes: list[tuple[int, int]] = []

        def read_size(index: int) -> None:
            path = self.source.records[index].path

            def read() -> tuple[int, int]:
                with self.source.header(index) as image:
                    check_size(image, path, self.max_pixels)
                    return image.size

            sizes.append(reading(path, self.max_pixels, read))

        unreadable = self._in_threads(read_size, indices)
        return sizes, unreadable

    def _in_threads(self, function: Callable[[int], None], indices: Sequence[int]) -> Unreadable:
        def run(chunk: Sequence[int]) -> Unreadable:
            problems = {}
            for index in chunk:
                try:
                    self.check_time()
                    function(index)
                except UnreadableImage as error:
                    problems[index] = str(error)
            return problems

        size = max(1, min(_CHUNK, len(indices) // (self.workers * _CHUNKS_PER_WORKER)))
        chunks = [indices[start : start + size] for start in range(0, len(indices), size)]
        unreadable: Unreadable = {}
        # Whoever interrupts, has too little time, or gave too large an image, need not wait.
        with image_warnings(), threads_to_leave(self.workers) as pool:
            reading = [pool.submit(run, chunk) for chunk in chunks]
            for problems in results_in_time(reading, self.check_time):
                unreadable.update(problems)
        return unreadable
