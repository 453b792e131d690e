"""Inputs of the trainable part of a network: the output of the frozen prefix for batches of images.

The frozen prefix runs in inference (`nasoa.training.frozen_prefix`). If its batch-normalisation
statistics should keep adapting, as in appendix 6.2, it runs in training mode without gradients
instead. `nasoa.training.cached_features` computes its output only once per image.
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
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes

EVAL_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """How images are turned into batches.

    Args:
        resolution: height and width of the images in pixels.
        mean: mean of each RGB channel in [0, 1], for normalisation.
        std: standard deviation of each RGB channel.
        batch_size: images per batch.
        flip: whether mirror images are of the same class; if so, they augment training, and
            evaluation averages over an image and its mirror image.
        min_scale: smallest fraction of an image's area that a random crop keeps.
        seed: random seed for the order of images and augmentation.
        adapts_frozen_bn: whether batch-normalisation statistics of the frozen prefix keep adapting.
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
    """Return the frozen prefix and the trainable rest, which share the network's modules.

    Args:
        network: the network to split.
        frozen_stages: number of frozen stages after the stem, from -1 (nothing is frozen, not even
            the stem) to 4 (all but the head).
    """
    parts = network.parts
    return nn.Sequential(*parts[: frozen_stages + 1]), nn.Sequential(*parts[frozen_stages + 1 :])


class Inputs(Protocol):
    """Batches for the trainable part of a network."""

    def count(self, split: str) -> int:
        """Return the number of images in "train", "val" or "test"."""

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield `(inputs, labels)` endlessly, from iteration `start` on; determined by the seed."""

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield `(b, num_classes)` logits and `(b,)` labels of a random sample of a split.

        Images come in a random order that depends on the seed, so the first ones are a random
        sample, too.

        Args:
            trainable: trainable part of the network.
            split: "train", "val" or "test".
            limit: number of images.
        """


class ImageInputs:
    """Batches of augmented images, passed through the frozen prefix.

    If several processes train together, each of them gets its part of every training batch and of
    every evaluation; together the parts are the batches of a single process.

    Args:
        data: data set.
        prefix: frozen part of the network; may be empty.
        config: how images are turned into batches.
        precision: device and number format.
        processes: processes that train together.
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
        """The prefix as a fast function; None if its statistics keep adapting."""
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
                # Transfer uint8, a quarter of the bytes of float32, and augment on the device.
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
        """Return uint8 images resized and normalised on the device, without a crop.

        Args:
            images: `(b, 3, h, w)` uint8 images.

        Returns:
            `(b, 3, r, r)` float32 images.
        """
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
    """Return `(count,)` indices: the random order in which a split is evaluated."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def flipped_mean(function: Callable[[Tensor], Tensor], images: Tensor, flip: bool) -> Tensor:
    """Return `function(images)`, averaged with that of the mirror images if `flip` is set."""
    result = function(images).float()
    return (result + function(images.flip(3)).float()) / 2 if flip else result


def count_from(start: int) -> Iterator[int]:
    """Yield `start` and all integers after it."""
    while True:
        yield start
        start += 1
