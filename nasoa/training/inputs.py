"""What the trainable part of a network is fed: images through a frozen prefix, or its cache.

No graph is built for the prefix. Fed with images, its batch normalisation statistics go on
adapting (appendix 6.2 finds that better); a cache is computed once, with fixed statistics and
without augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data import BatchOrder, ImageDataset, ImageSplit
from nasoa.data.augment import augment, to_float
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes

EVAL_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """How images become batches.

    `mean` and `std` normalise RGB in [0, 1]. `flip`: mirror images are images of the same class,
    so that they augment training and are averaged over in evaluation. `min_scale` is the least
    share of an image that a random crop keeps.
    """

    resolution: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    batch_size: int
    flip: bool
    min_scale: float
    seed: int


def split_network(
    network: StagedNetwork, frozen_stages: int
) -> tuple[nn.Sequential, nn.Sequential]:
    """The frozen prefix and the trainable rest, sharing the network's modules.

    `frozen_stages` is -1 (nothing) to 4 (all but the head).
    """
    parts = network.parts
    return nn.Sequential(*parts[: frozen_stages + 1]), nn.Sequential(*parts[frozen_stages + 1 :])


class Inputs(Protocol):
    """Batches for the trainable part."""

    def count(self, split: str) -> int:
        """Images in "train", "val" or "test"."""

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless `(inputs, labels)` from iteration `start` on; a pure function of the seed."""

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """`(b, num_classes)` logits and `(b,)` labels of `limit` images of a split, by chance.

        The order is a function of the seed, so that any beginning of it is a fair sample.
        """


class ImageInputs:
    """Augmented images through the frozen prefix.

    Of several processes each has its part of every training batch and of what is evaluated;
    together they see what one would.
    """

    def __init__(
        self,
        data: ImageDataset,
        prefix: nn.Sequential,
        config: InputConfig,
        precision: Precision,
        processes: Processes = ALONE,
    ) -> None:
        self.data = data
        self.prefix = prefix
        self.config = config
        self.precision = precision
        self.processes = processes

    def count(self, split: str) -> int:
        """See `Inputs`."""
        return len(getattr(self.data, split))

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        config, split = self.config, self.data.train
        order = BatchOrder(len(split), config.batch_size, config.seed, split.shards)
        part = self.processes.part(config.batch_size)
        indices = (order.indices(i)[part] for i in _count_from(start))
        generator = torch.Generator()
        for iteration, (images, labels) in enumerate(split.batches(indices), start=start):
            generator.manual_seed(config.seed * 1_000_003 + iteration)
            augmented = augment(
                # As uint8, a quarter of the bytes, and changed there.
                self.precision.to_device(images),
                generator,
                resolution=config.resolution,
                flip=config.flip,
                min_scale=config.min_scale,
                part=part,
                batch_size=config.batch_size,
            )
            yield self._through_prefix(augmented), labels.to(self.precision.device)

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        trainable.eval()
        self.prefix.eval()
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        order = order[self.processes.rank :: self.processes.count]
        for images, labels in getattr(self.data, split).batches(order.split(EVAL_BATCH)):
            placed = self.normalise(
                to_float(self.precision.to_device(images), self.config.resolution)
            )
            with torch.inference_mode(), self.precision.autocast():
                logits = flipped_mean(
                    lambda batch: trainable(self.prefix(batch)), placed, self.config.flip
                )
            yield logits, labels.to(logits.device)

    def normalise(self, images: Tensor) -> Tensor:
        """`(b, 3, r, r)` in [0, 1] -> normalised, on the device."""
        return self.precision.normalise(images, self.config.mean, self.config.std)

    def _through_prefix(self, images: Tensor) -> Tensor:
        placed = self.normalise(images)
        if not len(self.prefix):
            return placed
        self.prefix.train()
        with torch.no_grad(), self.precision.autocast():
            return cast(Tensor, self.prefix(placed))


class CachedInputs:
    """The frozen prefix's output for every image, computed once.

    Where mirror images count, both sides are kept, and a training batch takes either by chance.
    For the head alone the pooled features are enough.
    """

    def __init__(self, source: ImageInputs, head_only: bool) -> None:
        self.config = source.config
        self.labels = source.data.train.labels.to(source.precision.device)
        self.precision = source.precision
        self._source = source
        self._head_only = head_only
        self._features: dict[str, Tensor] = {}

    def count(self, split: str) -> int:
        """See `Inputs`."""
        return self._source.count(split)

    def features(self, split: str) -> Tensor:
        """`(sides, n, c, h, w)` features of a split, computed at the first call."""
        if split not in self._features:
            images = getattr(self._source.data, split)
            self._features[split] = _cache(self._source, images, self._head_only)
        return self._features[split]

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        features = self.features("train")
        order = BatchOrder(features.shape[1], self.config.batch_size, self.config.seed)
        generator = torch.Generator()
        for iteration in _count_from(start):
            indices = order.indices(iteration)
            generator.manual_seed(self.config.seed * 1_000_003 + iteration)
            sides = torch.randint(features.shape[0], indices.shape, generator=generator)
            yield features[sides, indices], self.labels[indices]

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        trainable.eval()
        features = self.features(split)
        labels = getattr(self._source.data, split).labels.to(features.device)
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        for indices in order.split(EVAL_BATCH):
            with torch.inference_mode(), self.precision.autocast():
                sides = [trainable(side[indices]) for side in features]
            yield torch.stack(sides).float().mean(dim=0), labels[indices]


def evaluation_order(count: int, seed: int) -> Tensor:
    """`(count,)` indices in the order in which a split is evaluated."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def flipped_mean(function: Callable[[Tensor], Tensor], images: Tensor, flip: bool) -> Tensor:
    """`function` of the images, averaged with that of their mirror images when `flip`."""
    result = function(images).float()
    return (result + function(images.flip(3)).float()) / 2 if flip else result


def _cache(source: ImageInputs, split: ImageSplit, head_only: bool) -> Tensor:
    source.prefix.eval()
    batches = []
    for images, _labels in split.batches(torch.arange(len(split)).split(EVAL_BATCH)):
        on_device = source.precision.to_device(images)
        placed = source.normalise(to_float(on_device, source.config.resolution))
        sides = [placed, placed.flip(3)] if source.config.flip else [placed]
        with torch.no_grad(), source.precision.autocast():
            outputs = [source.prefix(side).float() for side in sides]
        batches.append(
            torch.stack([o.mean((2, 3), keepdim=True) if head_only else o for o in outputs])
        )
    return torch.cat(batches, dim=1)


def _count_from(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1
