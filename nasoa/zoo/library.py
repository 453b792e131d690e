"""The protocol of libraries of classification networks: each is a module that implements it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

IMAGENET = "ImageNet"


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Input format and quality of pretrained weights.

    `resolution` is in pixels; `mean` and `std` normalise RGB values in [0, 1]; `accuracy` is that
    on the validation split of `source`, or None if the library does not give it; `license` is that
    of the weights, "" if unknown.
    """

    name: str
    resolution: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    accuracy: float | None
    license: str = ""


class Library(Protocol):
    """Networks by name; `weights` names pretrained weights, "" for the library's default."""

    def names(self) -> list[str]:
        """Return the names of all networks."""

    def takes_one_size(self, name: str) -> bool:
        """Return whether a network takes only images of the size that it is built for."""

    def build(self, name: str, num_classes: int, resolution: int) -> nn.Module:
        """Build a network with fresh weights.

        Raises:
            UnknownName: there is no network of that name; suggests similar names.
        """

    def load(
        self, name: str, num_classes: int, resolution: int, state: Mapping[str, Tensor]
    ) -> nn.Module:
        """Build a network and load weights in the library's format strictly.

        Raises:
            WeightsError: the weights do not fit; the message names the first difference.
        """

    def pretraining(self, name: str, weights: str) -> Pretraining:
        """Describe pretrained weights.

        Raises:
            UnknownName: the network or weights do not exist; suggests similar names.
        """

    def weights_file(self, name: str, weights: str) -> Path:
        """Return the file with pretrained weights, from the user's cache or downloaded.

        Raises:
            WeightsError: neither is possible; the message says where the file belongs.
        """
