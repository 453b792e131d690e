"""The frozen prefix's output for every image, computed once, in slices, within bounded memory.

Slices are filled in an order that the seed decides, so that whatever part of a split was reached
is a fair sample, and training may begin on it: every training batch fills a further slice until
all is there. Where mirror images count, those of the original images come first, then the mirrored
ones; a training batch takes either side of an image at random, as far as it is there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from nasoa.data import BatchOrder, ScratchFolder
from nasoa.errors import InvalidInput
from nasoa.partial_file import reserve
from nasoa.training.frozen import FrozenPrefix
from nasoa.training.inputs import EVAL_BATCH, ImageInputs, count_from, evaluation_order

SLICE = 64
MEMORY_BYTES = 2 * 1024**3  # above it, features lie in a file


class CachedInputs:
    """See `nasoa.training.inputs.Inputs`.

    Args:
        source: the images, with the frozen prefix.
        pooled: keep the mean over pixels, `(n, c, 1, 1)`, which is all that a head alone needs.
        charge: called with the number of images of one side that were computed.
        memory_bytes: features that take more than this are kept in a temporary file.
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

    def with_batch_size(self, batch_size: int) -> CachedInputs:
        """The same features for batches of another size."""
        other = copy.copy(self)
        other.config = replace(self.config, batch_size=batch_size)
        return other

    @property
    def sides(self) -> int:
        """2 where mirror images are of the same class, else 1."""
        return 2 if self.config.flip else 1

    def count(self, split: str) -> int:
        """See `Inputs`."""
        return self._source.count(split)

    def fill(self, split: str, side: int = 0) -> Iterator[int]:
        """Compute what is missing of a side, slice by slice; gives the images of each slice."""
        yield from self._computed(split, self._cache(split).missing(side), side)

    def put(self, split: str, indices: Tensor, features: Tensor, side: int = 0) -> None:
        """Take over `(b, c, h, w)` features of images, computed elsewhere."""
        self._cache(split).put(side, indices, features.to(self.precision.device))

    def reached(self, split: str, side: int = 0) -> Tensor:
        """`(k,)` indices of the images whose features of a side are there, in order of filling."""
        return self._cache(split).reached(side)

    def features(self, split: str, indices: Tensor, side: int = 0) -> Tensor:
        """`(b, c, h, w)` of images that were reached."""
        return self._cache(split).get(side, indices, self.precision.device)

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`. Epochs are of the images that were reached when the first batch is made."""
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
        """See `Inputs`. Mirror images count where those of the validation images are there."""
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
        """Compute features of some images, slice by slice; gives the images of each slice."""
        for some in indices.split(SLICE):
            if len(some):  # of nothing, split() makes one empty slice
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
            # Features to fit a head to are few and kept exactly.
            kind = torch.float32 if self.pooled else torch.float16
            self._splits[split] = _Split(order, self.sides, kind, self._memory_bytes)
        return self._splits[split]


class _Split:
    """Features of one split, with what of them is there.

    Args:
        order: `(n,)` indices in the order in which they are filled.
        sides: 1 or 2.
        kind: of the numbers that are kept.
        memory_bytes: above it, features lie in a file.
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
        """Indices that are not there yet; of mirror images, those whose originals are there."""
        wanted = ~self._has[side]
        if side:
            wanted &= self._has[0]
        return self._order[wanted[self._order]]

    def reached(self, side: int) -> Tensor:
        """Indices that are there."""
        return self._order[self._has[side, self._order]]

    def has(self, side: int, indices: Tensor) -> Tensor:
        """Which of some indices are there."""
        return self._has[side, indices]

    def put(self, side: int, indices: Tensor, features: Tensor) -> None:
        """Keep features of some images."""
        if self._values is None:
            self._values = self._allocated(features)
        bound = torch.finfo(self._kind).max
        self._values[side, indices] = (
            features.float().clamp(-bound, bound).to(device=self._values.device, dtype=self._kind)
        )
        self._has[side, indices] = True

    def get(self, side: int, indices: Tensor, device: torch.device) -> Tensor:
        """Features of images that are there, float32, on the device, channels last."""
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
                f"expected room for {num_bytes} bytes of features in {path.parent}, got "
                f"{error.strerror or error}; free it, or set TMPDIR to another folder"
            ) from None
        number_format = np.float32 if self._kind == torch.float32 else np.float16
        return torch.from_numpy(np.memmap(path, dtype=number_format, mode="r+", shape=shape))
