"""A network that knows more than the one that is trained.

Its pooled features say far more of an image than a label does, and need no label.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.data.augment import to_float
from nasoa.errors import InvalidInput
from nasoa.training.frozen import FrozenPrefix
from nasoa.training.precision import Precision, best_precision
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network


class Teacher:
    """A trained classifier as a source of targets.

    Args:
        network: ends in a pool and one linear layer; it is copied, and not changed.
        mean: of its inputs, RGB in [0, 1].
        std: the same.
        resolution: pixels at which it looks at images.
        precision: where and in which format to compute.
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
                "expected a teacher that ends in a pool and one linear layer, got one whose head "
                f"is a {type(network.head).__name__}"
            )
        self.resolution = resolution
        self.num_features = network.head.fc.in_features
        self._mean, self._std = mean, std
        self._precision = precision
        self._body = FrozenPrefix(nn.Sequential(*network.parts[:-1]), precision)
        self._classifier = copy.deepcopy(network.head.fc).requires_grad_(False)
        self._classifier.to(precision.device)

    def features(self, images: Tensor) -> Tensor:
        """`(b, 3, h, w)` images, uint8 or float32 in [0, 1] -> `(b, d)` float16 pooled features."""
        if images.dtype == torch.uint8:
            images = to_float(self._precision.to_device(images), self.resolution)
        elif images.shape[-1] != self.resolution:
            images = F.interpolate(
                images, (self.resolution, self.resolution), mode="bilinear", antialias=True
            )
        placed = self._precision.normalise(images, self._mean, self._std)
        return cast(Tensor, self._body(placed)).float().mean(dim=(2, 3)).half()

    def logits(self, features: Tensor) -> Tensor:
        """`(b, d)` features -> `(b, k)` float32 logits of the teacher's own classes."""
        return cast(Tensor, self._classifier(features.float()))


def packaged_teacher(model: str, resolution: int) -> Teacher:
    """A model of the package's zoo as a teacher.

    Raises:
        UnknownName: there is none of that name.
        BackboneError: it cannot be built here.
    """
    zoo = packaged_zoo()
    entry = zoo.entry(model)
    network = load_network(entry, zoo.weights(model))
    precision = best_precision()
    return Teacher(
        precision.place(network),
        mean=entry.mean,
        std=entry.std,
        resolution=resolution,
        precision=precision,
    )
