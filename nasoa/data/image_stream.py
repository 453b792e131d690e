"""Any number of image files in batches, decoded by threads while the batches before are used."""

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
    """Some image files, in order.

    Args:
        paths: of all b files.
        errors: why a file could not be read, by its index in `paths`.
        images: uint8 `(b - len(errors), 3, resolution, resolution)` of the other files.
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

    At most `BATCHES_AHEAD` batches are decoded before they are asked for, and no more paths are
    taken than these need, so memory does not depend on how many there are.

    Args:
        paths: of files; one that cannot be read has an error in its batch.
        resolution: height and width in pixels that images are brought to.
        batch_size: files in each batch but the last.
        config: limits.
        grey_range: what is black and white in images of more than 8 bits; see `ImageDataset`.
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
            # Whoever ends early need not wait for the rest.
            pool.shutdown(cancel_futures=True)


@dataclass
class _Decoding:
    """A batch that threads fill: each image goes into its own row."""

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
        """Fill a row; returns why that failed, or ""."""
        try:
            self.rows[index] = read_image(
                self.paths[index], self.resolution, self.config, self.grey_range
            )
        except DataError as error:
            return " ".join(str(error).split())
        return ""

    def finished(self) -> ImageBatch:
        """Wait for the batch."""
        reasons = [future.result() for future in self.reading]
        errors = {index: reason for index, reason in enumerate(reasons) if reason}
        good = [index for index, reason in enumerate(reasons) if not reason]
        rows = self.rows[good] if errors else self.rows
        return ImageBatch(paths=self.paths, errors=errors, images=torch.from_numpy(rows))
