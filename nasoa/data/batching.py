"""The order of training images, as a pure function of seed and iteration.

A run that resumes at iteration k sees what it would have seen: no generator state is kept.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


class BatchOrder:
    """Shuffled batches of indices without end.

    Epoch after epoch is laid end to end and cut into batches of equal size, so that no epoch ends
    in a batch too small for batch normalisation, and every image is seen equally often.

    Args:
        num_images: images of the split.
        batch_size: images a batch.
        seed: a non-negative integer.

    Raises:
        ValueError: `num_images` or `batch_size` is not positive.

    >>> order = BatchOrder(5, 2, seed=0)
    >>> sorted(torch.cat([order.indices(i) for i in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, num_images: int, batch_size: int, seed: int) -> None:
        if num_images < 1 or batch_size < 1:
            raise ValueError(
                "Expected num_images and batch_size of at least 1, "
                f"but got {num_images} and {batch_size}"
            )
        self.num_images = num_images
        self.batch_size = batch_size
        self.seed = seed
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
        return torch.from_numpy(generator.permutation(self.num_images))
