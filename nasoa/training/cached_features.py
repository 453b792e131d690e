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
from nasoa.free_memory import budget_bytes
from nasoa.partial_file import reserve
from nasoa.scratch import ScratchFolder
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import EVAL_BATCH, ImageInputs, count_from, evaluation_order
from nasoa.training.precision import in_layout

SLICE = 64
KIND = torch.float16  # of features that are not pooled
MEMORY_BYTES = 2 * 1024**3  # larger features are stored in a file
MEMORY_FRACTION = 0.25  # of the memory that is left


class NoRoom(InvalidInput):
    """There is no space for features that are larger than what may be in memory."""


class CachedFeatures:
    """Cached features as `nasoa.training.inputs.Inputs`.

    Side 0 of an image is the image itself, side 1 is its mirror image.

    Args:
        source: images and frozen prefix.
        pooled: whether to store means over pixels, `(n, c, 1, 1)`, which suffice to train a head.
        charge: called with the number of images of a side whose features have been computed.
        memory_bytes: features of a split that are larger than this are stored in a temporary file;
            by default `MEMORY_BYTES`, or a quarter of the memory that is left if that is less.
    """

    def __init__(
        self,
        source: ImageInputs,
        *,
        pooled: bool,
        charge: Callable[[int], None] = lambda images: None,
        memory_bytes: int | None = None,
    ) -> None:
        self.config = source.config
        self.precision = source.precision
        self.labels = source.data.train.labels.to(source.precision.device)
        self._source = source
        self.pooled = pooled
        self._charge = charge
        self._memory_bytes = (
            budget_bytes(MEMORY_BYTES, MEMORY_FRACTION) if memory_bytes is None else memory_bytes
        )
        self._splits: dict[str, _Split] = {}
        # Number of sides that evaluations average over; None for those of the validation images.
        self.evaluated_sides: int | None = None

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
        """Store `(b, c, h, w)` features of images.

        Raises:
            NoRoom: there is no space for the features of all splits; nothing was stored before.
        """
        features = features.to(self.precision.device)
        if not self._cache(split).is_allocated:
            self._allocate(features)
        self._cache(split).put(side, indices, features)

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

        Logits are averaged over `evaluated_sides`; if that is None, over both sides if all
        validation images have features of both.
        """
        trainable.eval()
        labels = getattr(self._source.data, split).labels.to(self.precision.device)
        sides = range(self.evaluated_sides or self._complete_sides())
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        cache = self._cache(split)
        rest = [self._computed(split, order[~cache.has(side, order)], side) for side in sides]
        for indices in order.split(EVAL_BATCH):
            for side in sides:
                while not cache.has(side, indices).all():
                    next(rest[side])
            with torch.inference_mode(), self.precision.autocast():
                logits = [trainable(self.features(split, indices, side)) for side in sides]
            yield torch.stack(logits).float().mean(dim=0), labels[indices]

    def _complete_sides(self) -> int:
        """Number of sides of which all validation images have features, at least 1."""
        last = self.sides - 1
        return self.sides if len(self.reached("val", last)) == self.count("val") else 1

    def _rest_of_training(self) -> Iterator[int]:
        for side in range(self.sides):
            yield from self.fill("train", side)

    def _computed(self, split: str, indices: Tensor, side: int) -> Iterator[int]:
        """Compute features of images, slice by slice; yield the number of images of each slice."""
        slices = indices.split(SLICE) if len(indices) else ()
        images_of = getattr(self._source.data, split).batches(slices)
        for some, (images, _labels) in zip(slices, images_of, strict=True):
            self.put(split, some, self._features(images, side), side)
            yield len(some)

    def _features(self, images: Tensor, side: int) -> Tensor:
        placed = self._source.placed(images)
        maps = self._prefix(placed.flip(3) if side else placed)
        self._charge(len(images))
        return maps.float().mean(dim=(2, 3), keepdim=True) if self.pooled else maps

    def _allocate(self, features: Tensor) -> None:
        """Reserve space for all splits, so that none can lack it when others are in use."""
        folder: ScratchFolder | None = None
        for name in ("train", "val", "test"):
            split = self._cache(name)
            if split.num_bytes(features) > self._memory_bytes:
                folder = folder or ScratchFolder()
            split.allocate(features, folder, self._memory_bytes)

    def _cache(self, split: str) -> _Split:
        if split not in self._splits:
            order = evaluation_order(self.count(split), self.config.seed)
            # Pooled features are small, so they keep full precision.
            kind = torch.float32 if self.pooled else KIND
            self._splits[split] = _Split(split, order, self.sides, kind)
        return self._splits[split]


class _Split:
    """Features of one split, and a record of which have been computed.

    Args:
        name: name of the split.
        order: `(n,)` indices in the order of filling.
        sides: 1 or 2.
        kind: data type of the stored features.
    """

    def __init__(self, name: str, order: Tensor, sides: int, kind: torch.dtype) -> None:
        self._name = name
        self._order = order
        self._sides = sides
        self._kind = kind
        self._has = torch.zeros(sides, len(order), dtype=torch.bool)
        self._values: Tensor | None = None
        self._scratch: ScratchFolder | None = None

    @property
    def is_allocated(self) -> bool:
        """Whether there is space for the features."""
        return self._values is not None

    def num_bytes(self, features: Tensor) -> int:
        """Return the size of all features in bytes; `features` are some of them."""
        return self._kind.itemsize * int(np.prod(self._shape(features)))

    def allocate(self, features: Tensor, folder: ScratchFolder | None, memory_bytes: int) -> None:
        """Reserve space for all features, of which `features` are some.

        Args:
            features: `(b, c, h, w)` features.
            folder: folder for features that are larger than `memory_bytes`.
            memory_bytes: largest size of features in memory.

        Raises:
            NoRoom: there is no space for the file.
        """
        shape, num_bytes = self._shape(features), self.num_bytes(features)
        if num_bytes <= memory_bytes:
            self._values = torch.empty(shape, dtype=self._kind, device=features.device)
            return
        assert folder is not None
        self._scratch = folder  # is removed with the last split that uses it
        path = folder.path / self._name
        try:
            with path.open("wb") as file:
                reserve(file, num_bytes)
        except OSError as error:
            raise NoRoom(
                f"expected space for {num_bytes} bytes of features in {path.parent}, got "
                f"{error.strerror or error}; free some, or set TMPDIR to another folder"
            ) from None
        number_format = np.float32 if self._kind == torch.float32 else np.float16
        mapped = np.memmap(path, dtype=number_format, mode="r+", shape=shape)
        self._values = torch.from_numpy(mapped)

    def _shape(self, features: Tensor) -> tuple[int, ...]:
        return (self._sides, len(self._order), *features.shape[1:])

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
        assert self._values is not None
        bound = torch.finfo(self._kind).max
        self._values[side, indices] = (
            features.float().clamp(-bound, bound).to(device=self._values.device, dtype=self._kind)
        )
        self._has[side, indices] = True

    def get(self, side: int, indices: Tensor, device: torch.device) -> Tensor:
        """Return stored features in float32 on the device, channels last."""
        assert self._values is not None
        rows = self._values[side, indices].to(device).float()
        return in_layout(rows, channels_last=True)
