"""A larger trained network that teaches the one being trained.

Its pooled features carry far more information about an image than a label, and need no label.
"""

from __future__ import annotations

import copy
import hashlib
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.data.augment import to_float
from nasoa.errors import InvalidInput
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.precision import Precision, best_precision
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network


class Teacher:
    """A trained classifier as a source of targets.

    `digest` identifies its weights, and `device` is the one that it computes on.

    Args:
        network: a network that ends in pooling and one linear layer; it is copied, not changed.
        mean: mean of its inputs, RGB in [0, 1].
        std: standard deviation of its inputs, RGB in [0, 1].
        resolution: side of the images it is given, in pixels.
        precision: device and format of the computation.
    """

    def __init__(
        self,
        network: StagedNetwork,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        resolution: int,
        precision: Precision,
    ) -> None:
        if not isinstance(network.head, PooledLinear):
            raise InvalidInput(
                "expected a teacher that ends in pooling and one linear layer, got one whose head "
                f"is a {type(network.head).__name__}"
            )
        self.resolution = resolution
        self.num_features = network.head.fc.in_features
        self.device = precision.device
        self.digest = _digest(network, mean, std)
        self._mean, self._std = mean, std
        self._precision = precision
        self._body = FrozenPrefix(nn.Sequential(*network.parts[:-1]), precision)
        self._classifier = copy.deepcopy(network.head.fc).requires_grad_(False)
        self._classifier.to(precision.device)

    def features(self, images: Tensor) -> Tensor:
        """Return `(b, d)` float16 pooled features of `(b, 3, h, w)` uint8 or float32 images."""
        if images.dtype == torch.uint8:
            images = to_float(self._precision.to_device(images), self.resolution)
        elif images.shape[-1] != self.resolution:
            images = F.interpolate(
                images, (self.resolution, self.resolution), mode="bilinear", antialias=True
            )
        placed = self._precision.normalise(images, self._mean, self._std)
        return self._body(placed).float().mean(dim=(2, 3)).half()

    def logits(self, features: Tensor) -> Tensor:
        """Return the teacher's `(b, k)` float32 logits of its own classes for `(b, d)` features."""
        return cast(Tensor, self._classifier(features.float()))


def _digest(network: StagedNetwork, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """Return a digest of the weights of a network, and of the normalisation of its inputs."""
    found = hashlib.sha256(repr((mean, std)).encode())
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().float().numpy().tobytes())
    return found.hexdigest()


def default_teacher_resolution(model: str, most: int) -> int:
    """Return the resolution at which a packaged teacher is given images, unless the user sets one.

    It is the model's own, or `most` pixels if that is smaller.

    Raises:
        UnknownName: there is no such model.
    """
    return min(packaged_zoo().entry(model).resolution, most)


def packaged_teacher(model: str, resolution: int) -> Teacher:
    """Load a model of the package's zoo as a teacher.

    Raises:
        UnknownName: there is no such model.
        BackboneError: the model cannot be built here.
    """
    zoo = packaged_zoo()
    entry = zoo.entry(model)
    network = load_network(entry, zoo.weights(model))
    precision = best_precision()
    precision.place(network)
    return Teacher(
        network,
        mean=entry.mean,
        std=entry.std,
        resolution=resolution,
        precision=precision,
    )
