"""The order of training images, as a pure function of seed and iteration.

A run that resumes at iteration k sees what it would have seen: no generator state is kept.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Images of some sixteen shards of ImageNet: enough for batches of a thousand to be unlike, and few
# enough, with some two gigabytes, to stay in the page cache until all of them were read.
SHUFFLED_TOGETHER = 16_384


class BatchOrder:
    """Shuffled batches of indices without end.

    Epoch after epoch is laid end to end and cut into batches of equal size, so that no epoch ends
    in a batch too small for batch normalisation, and every image is seen equally often.

    Args:
        num_images: images of the split.
        batch_size: images a batch.
        seed: a non-negative integer.
        shards: `(num_images,)` which shard each image is in, where images of one should be read
            near each other; None shuffles them all alike.

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
        """`(batch_size,)` int64 indices of the batch of an iteration, counted from 0."""
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
    """Images in the order of shuffled shards, shuffled among `SHUFFLED_TOGETHER` and more.

    As a buffer would, but known beforehand: so any step can be resumed, and any share of a batch
    read, without reading what came before.
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
