"""Read any number of image files in batches that threads decode ahead."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.cores import num_cores
from nasoa.data.decode import image_warnings, read_image
from nasoa.data.grey_range import GreyRange
from nasoa.errors import DataError

BATCHES_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class ImageBatch:
    """A batch of image files.

    Args:
        paths: paths of all b files.
        errors: reasons why files could not be read, by index into `paths`.
        images: `(b - len(errors), 3, resolution, resolution)` uint8 images of the other files.
    """

    paths: list[str]
    errors: dict[int, str]
    images: Tensor


def image_batches(
    paths: Iterable[str],
    resolution: int,
    batch_size: int,
    config: DataConfig | None = None,
    grey_range: GreyRange | None = None,
) -> Iterator[ImageBatch]:
    """Read image files in batches, in order.

    At most `BATCHES_AHEAD` batches are decoded ahead, and no more paths are read than these need,
    so memory does not depend on the number of images.

    Args:
        paths: paths of files; the batch of an unreadable file contains the error.
        resolution: height and width of the images in pixels.
        batch_size: number of files in each batch but the last.
        config: limits.
        grey_range: values of black and white in images of more than 8 bits; see `ImageDataset`.
    """
    config = config or DataConfig()
    remaining = iter(paths)
    waiting: deque[_Decoding] = deque()
    with image_warnings(), ThreadPoolExecutor(num_cores()) as pool:
        try:
            while group := list(itertools.islice(remaining, batch_size)):
                waiting.append(_Decoding(group, resolution, config, grey_range, pool))
                if len(waiting) > BATCHES_AHEAD:
                    yield waiting.popleft().finished()
            while waiting:
                yield waiting.popleft().finished()
        finally:
            # If the caller stops early, do not decode the rest.
            pool.shutdown(cancel_futures=True)


@dataclass
class _Decoding:
    """A batch whose rows are filled by threads."""

    paths: list[str]
    resolution: int
    config: DataConfig
    grey_range: GreyRange | None
    pool: ThreadPoolExecutor
    rows: NDArray[np.uint8] = field(init=False)
    reading: list[Future[str]] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.paths)
        self.rows = np.empty((count, 3, self.resolution, self.resolution), np.uint8)
        self.reading = [self.pool.submit(self._read, index) for index in range(count)]

    def _read(self, index: int) -> str:
        """Fill a row; return an empty string, or the reason why that failed."""
        try:
            self.rows[index] = read_image(
                self.paths[index], self.resolution, self.config, self.grey_range
            )
        except DataError as error:
            return " ".join(str(error).split())
        return ""

    def finished(self) -> ImageBatch:
        """Wait until all rows are filled, and return the batch."""
        reasons = [future.result() for future in self.reading]
        errors = {index: reason for index, reason in enumerate(reasons) if reason}
        good = [index for index, reason in enumerate(reasons) if not reason]
        rows = self.rows[good] if errors else self.rows
        return ImageBatch(paths=self.paths, errors=errors, images=torch.from_numpy(rows))
