"""Series of torchvision networks with ImageNet weights that the paper compares its zoo with."""

from __future__ import annotations

from nasoa.errors import InvalidInput, UnknownName

TORCHVISION_SERIES = {
    "resnet": ("resnet18", "resnet34", "resnet50", "resnet101"),
    "regnet": (
        "regnet_y_400mf",
        "regnet_y_800mf",
        "regnet_y_1_6gf",
        "regnet_y_3_2gf",
        "regnet_y_8gf",
        "regnet_y_16gf",
    ),
    "efficientnet": ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3"),
    "mobilenetv3": ("mobilenet_v3_small", "mobilenet_v3_large"),
}


def models_of(series: str) -> list[str]:
    """Return the torchvision names of a comma-separated list of series, without duplicates.

    Raises:
        UnknownName: there is no such series; suggests similar names.
        InvalidInput: the list is empty.
    """
    names = [name.strip() for name in series.split(",") if name.strip()]
    if not names:
        raise InvalidInput(f"expected series like {','.join(TORCHVISION_SERIES)}, got {series!r}")
    for name in names:
        if name not in TORCHVISION_SERIES:
            raise UnknownName("series", name, TORCHVISION_SERIES)
    return [model for name in dict.fromkeys(names) for model in TORCHVISION_SERIES[name]]
