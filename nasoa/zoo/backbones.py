"""Classification networks of other libraries, named like `torchvision:resnet18`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.arch.stages import find_stages
from nasoa.errors import BackboneError, UnknownName
from nasoa.zoo import lite_models, timm_models, torchvision_models
from nasoa.zoo.library import Library

# The stages of a network that accepts any size are determined at this one, so that they are the
# same at every size; after a reduction by 32, the maps still have a side of 7.
STRUCTURE_RESOLUTION = 224
LIBRARIES: dict[str, Library] = {
    "torchvision": torchvision_models,
    "timm": timm_models,
    "lite": lite_models,
}


@dataclass(frozen=True)
class Builder:
    """The parts of `LIBRARY:NAME[:WEIGHTS]`; the text of a `ZooEntry` has no weights."""

    library_name: str
    name: str
    weights: str = ""

    @classmethod
    def parse(cls, text: str) -> Builder:
        """Parse a builder.

        Raises:
            UnknownName: the library does not exist; suggests similar names, and the library if it
                was omitted.
        """
        library, _, rest = text.partition(":")
        if library not in LIBRARIES:
            raise UnknownName("model", text, [*_known(), "timm:NAME", "lite:efficientnet-lite0"])
        name, _, weights = rest.partition(":")
        return cls(library, name, weights)

    @property
    def library(self) -> Library:
        """The library of the network."""
        return LIBRARIES[self.library_name]

    def __str__(self) -> str:
        return f"{self.library_name}:{self.name}"


def _known() -> list[str]:
    """Return the networks of torchvision, to suggest similar names, or [] if not installed."""
    try:
        return [f"torchvision:{name}" for name in torchvision_models.names()]
    except BackboneError:
        return []


def build_staged(text: str, num_classes: int, resolution: int) -> StagedNetwork:
    """Build a network with fresh weights, in stages that can be frozen.

    Args:
        text: `LIBRARY:NAME`.
        num_classes: number of classes of the head.
        resolution: side of the images in pixels; used only for networks that take one size.

    Raises:
        UnknownName: the library or network does not exist; suggests similar names.
        BackboneError: the library is not installed, or the network has no linear head or cannot be
            split into stages.
    """
    builder = Builder.parse(text)
    model = builder.library.build(builder.name, num_classes, resolution)
    return in_stages(model, builder, resolution)


def in_stages(model: nn.Module, builder: Builder, resolution: int) -> StagedNetwork:
    """Split a network of the builder into stages."""
    sized = builder.library.takes_one_size(builder.name)
    try:
        return find_stages(model, resolution if sized else STRUCTURE_RESOLUTION)
    except BackboneError as error:
        raise BackboneError(f"{builder}: {error}") from None
