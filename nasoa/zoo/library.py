"""What a library of classification networks has to offer: one module each keeps this protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

IMAGENET = "ImageNet"


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """What weights ask for, and how good they are.

    `resolution` in pixels; `mean` and `std` normalise RGB in [0, 1]; `accuracy` is that on the
    validation split of `source`, None where the library does not tell.
    """

    name: str
    resolution: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    accuracy: float | None


class Library(Protocol):
    """Networks by name; `weights` names pretrained weights, "" for the library's own choice."""

    def names(self) -> list[str]:
        """Every network there is."""

    def takes_one_size(self, name: str) -> bool:
        """Whether a network takes images of one size only, for which it is built."""

    def build(self, name: str, num_classes: int, resolution: int) -> nn.Module:
        """A network with fresh weights.

        Raises:
            UnknownName: there is none of that name; suggests near names.
        """

    def load(
        self, name: str, num_classes: int, resolution: int, state: Mapping[str, Tensor]
    ) -> nn.Module:
        """A network with the weights of the library's own files, strictly.

        Raises:
            WeightsError: they do not fit; names the first difference.
        """

    def pretraining(self, name: str, weights: str) -> Pretraining:
        """What is known of pretrained weights.

        Raises:
            UnknownName: no such network or weights; suggests near names.
        """

    def weights_file(self, name: str, weights: str) -> Path:
        """The file with pretrained weights: the user's cache, else from the network.

        Raises:
            WeightsError: neither has them; says where they belong.
        """
