"""Classification networks of torchvision."""

from __future__ import annotations

import torchvision
from torch import nn

from nasoa.errors import UnknownName

# Of these, the size of the images is part of the network.
SIZED = {"vit_": "image_size", "maxvit_": "input_size"}


def names() -> list[str]:
    """Every network there is."""
    return list(torchvision.models.list_models(module=torchvision.models))


def takes_one_size(name: str) -> bool:
    """Whether a network takes images of one size only, for which it is built."""
    return name.startswith(tuple(SIZED))


def build(name: str, num_classes: int, resolution: int) -> nn.Module:
    """A network with fresh weights.

    Raises:
        UnknownName: there is none of that name; suggests near names.
    """
    if name not in names():
        raise UnknownName("torchvision model", name, names())
    options: dict[str, object] = {"num_classes": num_classes}
    for prefix, option in SIZED.items():
        if name.startswith(prefix):
            is_pair = option == "input_size"
            options[option] = (resolution, resolution) if is_pair else resolution
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False  # theirs draws every weight by scipy, for minutes
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return network
