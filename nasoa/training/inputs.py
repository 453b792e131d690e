"""What the trainable part of a network is fed: images through a frozen prefix.

A frozen prefix is inference (`nasoa.training.frozen`), unless its batch-normalisation statistics
are to go on adapting, as appendix 6.2 has it: then it runs in training mode, without a graph.
`nasoa.training.cached_inputs` computes its output once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data import BatchOrder, ImageDataset
from nasoa.data.augment import augment, to_float
from nasoa.training.frozen import FrozenPrefix
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes

EVAL_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """How images become batches.

    `mean` and `std` normalise RGB in [0, 1]. `flip`: mirror images are images of the same class,
    so that they augment training and are averaged over in evaluation. `min_scale` is the least
    share of an image that a random crop keeps. `adapts_frozen_bn`: the statistics of a frozen
    prefix go on adapting.
    """

    resolution: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    batch_size: int
    flip: bool
    min_scale: float
    seed: int
    adapts_frozen_bn: bool = False


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

    @cached_property
    def frozen(self) -> FrozenPrefix | None:
        """The prefix as a fast function; None where its statistics go on adapting."""
        return None if self.config.adapts_frozen_bn else FrozenPrefix(self.prefix, self.precision)

    def count(self, split: str) -> int:
        """See `Inputs`."""
        return len(getattr(self.data, split))

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        config, split = self.config, self.data.train
        order = BatchOrder(len(split), config.batch_size, config.seed, split.shards)
        part = self.processes.part(config.batch_size)
        indices = (order.indices(i)[part] for i in count_from(start))
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
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        order = order[self.processes.rank :: self.processes.count]
        for images, labels in getattr(self.data, split).batches(order.split(EVAL_BATCH)):
            placed = self.placed(images)
            with torch.inference_mode(), self.precision.autocast():
                logits = flipped_mean(
                    lambda batch: trainable(self._evaluated(batch)), placed, self.config.flip
                )
            yield logits, labels.to(logits.device)

    def placed(self, images: Tensor) -> Tensor:
        """`(b, 3, h, w)` uint8 -> `(b, 3, r, r)` whole images, normalised, on the device."""
        return self._normalise(to_float(self.precision.to_device(images), self.config.resolution))

    def _normalise(self, images: Tensor) -> Tensor:
        return self.precision.normalise(images, self.config.mean, self.config.std)

    def _evaluated(self, images: Tensor) -> Tensor:
        if self.frozen is not None:
            return self.frozen(images)
        self.prefix.eval()
        return cast(Tensor, self.prefix(images))

    def _through_prefix(self, images: Tensor) -> Tensor:
        placed = self._normalise(images)
        if self.frozen is not None:
            return self.frozen(placed)
        self.prefix.train()
        with torch.no_grad(), self.precision.autocast():
            return cast(Tensor, self.prefix(placed))


def evaluation_order(count: int, seed: int) -> Tensor:
    """`(count,)` indices in the order in which a split is evaluated."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def flipped_mean(function: Callable[[Tensor], Tensor], images: Tensor, flip: bool) -> Tensor:
    """`function` of the images, averaged with that of their mirror images when `flip`."""
    result = function(images).float()
    return (result + function(images.flip(3)).float()) / 2 if flip else result


def count_from(start: int) -> Iterator[int]:
    """`start` and all integers after it."""
    while True:
        yield start
        start += 1
