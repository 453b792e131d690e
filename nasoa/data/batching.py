"""The order of training images, as a pure function of seed and iteration.

A run that resumes at iteration k gets the same batches as an uninterrupted one, without a saved
generator state.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Images of about sixteen shards of ImageNet: enough for well-mixed batches of a thousand images,
# and few enough (about 2 GB) to stay in the page cache until all of them have been read.
SHUFFLED_TOGETHER = 16_384


class BatchOrder:
    """An endless sequence of shuffled batches of indices.

    The epochs are joined and cut into batches of equal size, so no epoch ends in a batch that is
    too small for batch normalisation, and all images are used equally often.

    Args:
        num_images: number of images in the split.
        batch_size: images per batch.
        seed: a non-negative integer.
        shards: `(num_images,)` shard number of each image, so that images of a shard are read close
            to each other; None to shuffle all images together.

    Raises:
        ValueError: `num_images` or `batch_size` is not positive.

    >>> order = BatchOrder(5, 2, seed=0)
    >>> sorted(torch.cat([order.indices(i) for i in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(
        self, num_images: int, batch_size: int, seed: int, shards: Tensor | None = None
    ) -> None:
        if num_images < 1 or batch_size < 1:
            raise ValueError(
                "Expected num_images and batch_size of at least 1, "
                f"but got {num_images} and {batch_size}"
            )
        self.num_images = num_images
        self.batch_size = batch_size
        self.seed = seed
        self._shards = None if shards is None else shards.numpy()
        # A batch touches two epochs at most, unless it is larger than the data set.
        self._epoch = lru_cache(maxsize=2)(self._permutation)

    def indices(self, iteration: int) -> Tensor:
        """Return the `(batch_size,)` int64 indices of a batch; iterations count from 0."""
        start = iteration * self.batch_size
        end = start + self.batch_size
        pieces = []
        while start < end:
            epoch, offset = divmod(start, self.num_images)
            piece = self._epoch(epoch)[offset : offset + end - start]
            pieces.append(piece)
            start += len(piece)
        return torch.cat(pieces)

    def _permutation(self, epoch: int) -> Tensor:
        generator = np.random.default_rng((self.seed, epoch))
        if self._shards is None:
            return torch.from_numpy(generator.permutation(self.num_images))
        return torch.from_numpy(_by_shards(self._shards, generator))


def _by_shards(shards: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return image indices shuffled by shard, and within windows of at least `SHUFFLED_TOGETHER`.

    The effect is that of a shuffle buffer, but the order is known in advance. So training can
    resume at any step, and a process can read its part of a batch, without reading what came
    before.
    """
    by_shard = np.argsort(shards, kind="stable")
    pieces = np.split(by_shard, np.flatnonzero(np.diff(shards[by_shard])) + 1)
    windows: list[NDArray[np.int64]] = []
    window: list[NDArray[np.int64]] = []
    for number in generator.permutation(len(pieces)):
        window.append(pieces[number])
        if sum(map(len, window)) >= SHUFFLED_TOGETHER:
            windows.append(generator.permutation(np.concatenate(window)))
            window = []
    if window:
        windows.append(generator.permutation(np.concatenate(window)))
    return np.concatenate(windows)
