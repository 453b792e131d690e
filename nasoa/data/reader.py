"""Read the images of a source at one resolution, and detect those that cannot be read."""

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
from nasoa.work_progress import report_progress

# Threads take up to this many images at a time; fewer if there are few, so that none is idle.
_CHUNK = 64
_CHUNKS_PER_WORKER = 16

# Index of an image -> reason why it cannot be read.
Unreadable = dict[int, str]


class PixelBudget:
    """A thread-safe count of pixels up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._lock = Lock()

    def take(self, num_pixels: int) -> None:
        """Take pixels from the budget.

        Raises:
            DataError: the budget is exceeded.
        """
        with self._lock:
            self._left -= num_pixels
            if self._left < 0:
                raise DataError(
                    f"the images have more than {self._limit} pixels in total: expected no more; "
                    "scale them down, or use shards"
                )


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of a source at one resolution.

    Args:
        source: source of the images.
        resolution: height and width of the result.
        max_pixels: most pixels of a readable image; see `nasoa.data.decode.check_size`.
        workers: number of threads.
        grey_range: values of black and white in images of more than 8 bits.
        max_total_pixels: most pixels of all images together, in their files, that are read at once.
        check_time: called while many images are read; raises if reading would take too long.
    """

    source: ImageSource
    resolution: int
    max_pixels: int
    workers: int
    grey_range: GreyRange | None = None
    max_total_pixels: int = DataConfig.max_total_pixels
    check_time: CheckTime = untimed

    def read(self, index: int, budget: PixelBudget | None = None) -> NDArray[np.uint8]:
        """Return the `(3, resolution, resolution)` uint8 pixels of an image.

        Args:
            index: index of the image in the source.
            budget: budget that the pixels of the image in its file are taken from.

        Raises:
            UnreadableImage: the image cannot be read.
            DataError: the budget is exceeded.
        """
        path = self.source.records[index].path

        def opener() -> Image.Image:
            image = self.source.open(index)
            if budget is not None:
                budget.take(image.width * image.height)
            return image

        return decode(opener, path, self.resolution, self.max_pixels, self.grey_range)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of all images together: `(n, 3, resolution, resolution)`."""
        return len(self.source.records), 3, self.resolution, self.resolution

    def read_all(self, images: NDArray[np.uint8]) -> Unreadable:
        """Read all images into an array of `shape`; return the unreadable ones.

        The content of the rows of unreadable images is undefined.

        Raises:
            DataError: the images have more than `max_total_pixels` in total.
        """
        budget = PixelBudget(self.max_total_pixels)

        def read_row(index: int) -> None:
            images[index] = self.read(index, budget)

        return self._in_threads(read_row, range(len(images)))

    def undecodable(self, indices: Sequence[int]) -> Unreadable:
        """Decode some images and return the unreadable ones."""

        def read(index: int) -> None:
            self.read(index)

        return self._in_threads(read, indices)

    def sizes(self, indices: Sequence[int]) -> tuple[list[tuple[int, int]], Unreadable]:
        """Return widths and heights of images from their headers, and the unreadable images.

        The sizes are in no particular order.
        """
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
        # Do not wait for the threads after an interrupt or an error.
        with image_warnings(), threads_to_leave(self.workers) as pool:
            reading = [pool.submit(run, chunk) for chunk in chunks]
            for done, problems in enumerate(results_in_time(reading, self.check_time), start=1):
                unreadable.update(problems)
                report_progress("images", min(done * size, len(indices)), len(indices))
        return unreadable
