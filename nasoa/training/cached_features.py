"""Cached features: the output of the frozen prefix for every image, computed once, slice by slice.

The order of the slices is random and depends on the seed, so whatever part of a split has been
computed is a random sample, and training can begin on it: each training batch computes one more
slice until all are done. If mirror images are used, the features of all original images are
computed before those of the mirror images. A training batch takes each image or its mirror image at
random, among those that have been computed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from nasoa.data import BatchOrder
from nasoa.errors import InvalidInput
from nasoa.partial_file import reserve
from nasoa.scratch import ScratchFolder
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import EVAL_BATCH, ImageInputs, count_from, evaluation_order

SLICE = 64
MEMORY_BYTES = 2 * 1024**3  # larger features are stored in a file


class CachedFeatures:
    """Cached features as `nasoa.training.inputs.Inputs`.

    Side 0 of an image is the image itself, side 1 is its mirror image.

    Args:
        source: images and frozen prefix.
        pooled: whether to store means over pixels, `(n, c, 1, 1)`, which suffice to train a head.
        charge: called with the number of images of a side whose features have been computed.
        memory_bytes: features of a split that are larger than this are stored in a temporary file.
    """

    def __init__(
        self,
        source: ImageInputs,
        *,
        pooled: bool,
        charge: Callable[[int], None] = lambda images: None,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.config = source.config
        self.precision = source.precision
        self.labels = source.data.train.labels.to(source.precision.device)
        self._source = source
        self.pooled = pooled
        self._charge = charge
        self._memory_bytes = memory_bytes
        self._splits: dict[str, _Split] = {}

    @cached_property
    def _prefix(self) -> FrozenPrefix:
        return self._source.frozen or FrozenPrefix(self._source.prefix, self.precision)

    def with_batch_size(self, batch_size: int) -> CachedFeatures:
        """Return inputs that share these features but have another batch size."""
        other = copy.copy(self)
        other.config = replace(self.config, batch_size=batch_size)
        return other

    @property
    def sides(self) -> int:
        """2 if mirror images are used, 1 otherwise."""
        return 2 if self.config.flip else 1

    def count(self, split: str) -> int:
        """See `Inputs`."""
        return self._source.count(split)

    def fill(self, split: str, side: int = 0) -> Iterator[int]:
        """Compute the missing features of a side; yield the number of images of each slice."""
        yield from self._computed(split, self._cache(split).missing(side), side)

    def put(self, split: str, indices: Tensor, features: Tensor, side: int = 0) -> None:
        """Store `(b, c, h, w)` features of images that were computed elsewhere."""
        self._cache(split).put(side, indices, features.to(self.precision.device))

    def reached(self, split: str, side: int = 0) -> Tensor:
        """Return the `(k,)` indices of images with features of a side, in the order of filling."""
        return self._cache(split).reached(side)

    def features(self, split: str, indices: Tensor, side: int = 0) -> Tensor:
        """Return the `(b, c, h, w)` features of images; they must have been computed."""
        return self._cache(split).get(side, indices, self.precision.device)

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`.

        Until all features of the original images are computed, an epoch consists of the images that
        had features when the first batch was created.
        """
        cache = self._cache("train")
        pool = cache.reached(0)
        order = BatchOrder(len(pool), self.config.batch_size, self.config.seed)
        rest = self._rest_of_training()
        generator = torch.Generator()
        for iteration in count_from(start):
            next(rest, None)
            if len(pool) < self.count("train") and not len(cache.missing(0)):
                pool = cache.reached(0)
                order = BatchOrder(len(pool), self.config.batch_size, self.config.seed)
            indices = pool[order.indices(iteration)]
            generator.manual_seed(self.config.seed * 1_000_003 + iteration)
            mirrored = torch.rand(len(indices), generator=generator) < 0.5
            mirrored &= cache.has(self.sides - 1, indices)
            batch = cache.get(0, indices, self.precision.device)
            if self.sides == 2 and mirrored.any():
                batch[mirrored] = cache.get(1, indices[mirrored], self.precision.device)
            yield batch, self.labels[indices]

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`.

        Logits are averaged over both sides if the validation images have features of both.
        """
        trainable.eval()
        labels = getattr(self._source.data, split).labels.to(self.precision.device)
        sides = range(self.sides if not len(self._cache("val").missing(self.sides - 1)) else 1)
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        for indices in order.split(EVAL_BATCH):
            for side in sides:
                lacking = indices[~self._cache(split).has(side, indices)]
                for _images in self._computed(split, lacking, side):
                    pass
            with torch.inference_mode(), self.precision.autocast():
                logits = [trainable(self.features(split, indices, side)) for side in sides]
            yield torch.stack(logits).float().mean(dim=0), labels[indices]

    def _rest_of_training(self) -> Iterator[int]:
        for side in range(self.sides):
            yield from self.fill("train", side)

    def _computed(self, split: str, indices: Tensor, side: int) -> Iterator[int]:
        """Compute features of images, slice by slice; yield the number of images of each slice."""
        for some in indices.split(SLICE):
            if len(some):  # split() of an empty tensor returns one empty slice
                self._cache(split).put(side, some, self._features(split, some, side))
                yield len(some)

    def _features(self, split: str, indices: Tensor, side: int) -> Tensor:
        images = getattr(self._source.data, split).images(indices)
        placed = self._source.placed(images)
        maps = self._prefix(placed.flip(3) if side else placed)
        self._charge(len(indices))
        return maps.float().mean(dim=(2, 3), keepdim=True) if self.pooled else maps

    def _cache(self, split: str) -> _Split:
        if split not in self._splits:
            order = evaluation_order(self.count(split), self.config.seed)
            # Pooled features are small, so they keep full precision.
            kind = torch.float32 if self.pooled else torch.float16
            self._splits[split] = _Split(order, self.sides, kind, self._memory_bytes)
        return self._splits[split]


class _Split:
    """Features of one split, and a record of which have been computed.

    Args:
        order: `(n,)` indices in the order of filling.
        sides: 1 or 2.
        kind: data type of the stored features.
        memory_bytes: features that are larger than this are stored in a file.
    """

    def __init__(self, order: Tensor, sides: int, kind: torch.dtype, memory_bytes: int) -> None:
        self._order = order
        self._sides = sides
        self._kind = kind
        self._memory_bytes = memory_bytes
        self._has = torch.zeros(sides, len(order), dtype=torch.bool)
        self._values: Tensor | None = None
        self._scratch: ScratchFolder | None = None

    def missing(self, side: int) -> Tensor:
        """Return the indices to compute; of mirror images, those whose originals are computed."""
        wanted = ~self._has[side]
        if side:
            wanted &= self._has[0]
        return self._order[wanted[self._order]]

    def reached(self, side: int) -> Tensor:
        """Return the indices with features of a side, in the order of filling."""
        return self._order[self._has[side, self._order]]

    def has(self, side: int, indices: Tensor) -> Tensor:
        """Return a mask of the indices with features of a side."""
        return self._has[side, indices]

    def put(self, side: int, indices: Tensor, features: Tensor) -> None:
        """Store `(b, c, h, w)` features of a side."""
        if self._values is None:
            self._values = self._allocated(features)
        bound = torch.finfo(self._kind).max
        self._values[side, indices] = (
            features.float().clamp(-bound, bound).to(device=self._values.device, dtype=self._kind)
        )
        self._has[side, indices] = True

    def get(self, side: int, indices: Tensor, device: torch.device) -> Tensor:
        """Return stored features in float32 on the device, channels last."""
        assert self._values is not None
        rows = self._values[side, indices].to(device).float()
        return rows.contiguous(memory_format=torch.channels_last)

    def _allocated(self, features: Tensor) -> Tensor:
        shape = (self._sides, len(self._order), *features.shape[1:])
        num_bytes = self._kind.itemsize * int(np.prod(shape))
        if num_bytes <= self._memory_bytes:
            return torch.empty(shape, dtype=self._kind, device=features.device)
        self._scratch = ScratchFolder()
        path = self._scratch.path / "features"
        try:
            with path.open("wb") as file:
                reserve(file, num_bytes)
        except OSError as error:
            raise InvalidInput(
                f"expected space for {num_bytes} bytes of features in {path.parent}, got "
                f"{error.strerror or error}; free some, or set TMPDIR to another folder"
            ) from None
        number_format = np.float32 if self._kind == torch.float32 else np.float16
        return torch.from_numpy(np.memmap(path, dtype=number_format, mode="r+", shape=shape))
