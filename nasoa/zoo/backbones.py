"""Classification networks of other libraries, by a builder like `torchvision:resnet18`."""

from __future__ import annotations

from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.arch.stages import find_stages
from nasoa.errors import BackboneError, UnknownName
from nasoa.zoo import torchvision_models

# Where a network takes any size, its stages are found at this one, so that they are the same
# whatever size it is used at; 32-fold smaller maps still have a side.
STRUCTURE_RESOLUTION = 224
LIBRARIES = ("torchvision",)


def build_model(builder: str, num_classes: int, resolution: int) -> nn.Module:
    """The library's own network with fresh weights.

    Args:
        builder: `LIBRARY:NAME`.
        num_classes: of its head.
        resolution: in pixels; matters for networks that take one size only.

    Raises:
        UnknownName: no such library or network; suggests near names.
    """
    _check_library(builder)
    return torchvision_models.build(_name(builder), num_classes, resolution)


def build_staged(builder: str, num_classes: int, resolution: int) -> StagedNetwork:
    """`build_model` in stages that can be frozen.

    Raises:
        UnknownName: no such library or network; suggests near names.
        BackboneError: no head or no stages were found in it.
    """
    return in_stages(build_model(builder, num_classes, resolution), builder, resolution)


def in_stages(model: nn.Module, builder: str, resolution: int) -> StagedNetwork:
    """A network of `build_model` in stages."""
    sized = torchvision_models.takes_one_size(_name(builder))
    try:
        return find_stages(model, resolution if sized else STRUCTURE_RESOLUTION)
    except BackboneError as error:
        raise BackboneError(f"{builder}: {error}") from None


def _name(builder: str) -> str:
    return builder.partition(":")[2]


def _check_library(builder: str) -> None:
    library = builder.partition(":")[0]
    if library not in LIBRARIES:
        raise UnknownName("library of models", library, LIBRARIES)
