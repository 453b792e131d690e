"""Classification networks of other libraries, by a text like `torchvision:resnet18`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.arch.stages import find_stages
from nasoa.errors import BackboneError, UnknownName
from nasoa.zoo import lite_models, timm_models, torchvision_models
from nasoa.zoo.library import Library

# Where a network takes any size, its stages are found at this one, so that they are the same
# whatever size it is used at; 32 times smaller, the maps still have a side of 7.
STRUCTURE_RESOLUTION = 224
LIBRARIES: dict[str, Library] = {
    "torchvision": torchvision_models,
    "timm": timm_models,
    "lite": lite_models,
}


@dataclass(frozen=True)
class Builder:
    """`LIBRARY:NAME[:WEIGHTS]` taken apart; the text of a `ZooEntry` has no weights."""

    library_name: str
    name: str
    weights: str = ""

    @classmethod
    def parse(cls, text: str) -> Builder:
        """A builder from its text.

        Raises:
            UnknownName: no such library; suggests near names, and the library where one is left
                out.
        """
        library, _, rest = text.partition(":")
        if library not in LIBRARIES:
            raise UnknownName("model", text, [*_known(), "timm:NAME", "lite:efficientnet-lite0"])
        name, _, weights = rest.partition(":")
        return cls(library, name, weights)

    @property
    def library(self) -> Library:
        """Where the network is from."""
        return LIBRARIES[self.library_name]

    def __str__(self) -> str:
        return f"{self.library_name}:{self.name}"


def _known() -> list[str]:
    """Networks of torchvision, where there is one, to suggest near names from."""
    try:
        return [f"torchvision:{name}" for name in torchvision_models.names()]
    except BackboneError:
        return []


def build_staged(text: str, num_classes: int, resolution: int) -> StagedNetwork:
    """A network with fresh weights, in stages that can be frozen.

    Args:
        text: `LIBRARY:NAME`.
        num_classes: of its head.
        resolution: in pixels; matters for networks that take one size only.

    Raises:
        UnknownName: no such library or network; suggests near names.
        BackboneError: the library is not installed, or no head or no stages were found.
    """
    builder = Builder.parse(text)
    model = builder.library.build(builder.name, num_classes, resolution)
    return in_stages(model, builder, resolution)


def in_stages(model: nn.Module, builder: Builder, resolution: int) -> StagedNetwork:
    """A network of the builder's in stages."""
    sized = builder.library.takes_one_size(builder.name)
    try:
        return find_stages(model, resolution if sized else STRUCTURE_RESOLUTION)
    except BackboneError as error:
        raise BackboneError(f"{builder}: {error}") from None
