"""The networks of Table 2 and Figures 4, 5 and 11 that can be built: ET-NAS and its peers."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.paper_tables import NETWORKS as PAPER
from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.zoo import torchvision_models
from nasoa.zoo.backbones import build_staged
from nasoa.zoo.et_nas import ET_NAS

CLASSES = 1000
WEIGHTS = "IMAGENET1K_V1"  # torchvision's first ones, from a plain training as in the paper


@dataclass(frozen=True)
class Network:
    """A network that is timed.

    Args:
        name: its name, the paper's where it has one.
        series: its series.
        built_from: its encoding, or its name in torchvision.
        resolution: side of the images in pixels at which it was published.
    """

    name: str
    series: str
    built_from: str
    resolution: int = 224

    @property
    def is_own(self) -> bool:
        """Whether it is one of ET-NAS."""
        return self.series == "ET-NAS"

    def build(self, resolution: int) -> StagedNetwork:
        """Build it with random weights for ImageNet's classes."""
        if self.is_own:
            return build_network(parse(self.built_from), CLASSES)
        return build_staged(f"torchvision:{self.built_from}", CLASSES, resolution)

    def top1(self) -> tuple[float, str]:
        """Return the published ImageNet accuracy in percent, and whose figure it is."""
        if self.name in PAPER:
            return PAPER[self.name].top1, "the paper"
        accuracy = torchvision_models.pretraining(self.built_from, WEIGHTS).accuracy
        assert accuracy is not None
        return round(100 * accuracy, 3), f"torchvision {WEIGHTS}"


_PEERS = (
    Network("ResNet18", "ResNet", "resnet18"),
    Network("ResNet50", "ResNet", "resnet50"),
    Network("ResNet101", "ResNet", "resnet101"),
    Network("RegNetY-400MF", "RegNetY", "regnet_y_400mf"),
    Network("RegNetY-800MF", "RegNetY", "regnet_y_800mf"),
    Network("RegNetY-1.6GF", "RegNetY", "regnet_y_1_6gf"),
    Network("RegNetY-3.2GF", "RegNetY", "regnet_y_3_2gf"),
    Network("RegNetY-8GF", "RegNetY", "regnet_y_8gf"),
    Network("RegNetY-16GF", "RegNetY", "regnet_y_16gf"),
    # Sizes of Tan and Le 2019; torchvision evaluates its B2 at 288 px.
    Network("EfficientNet-B0", "EfficientNet", "efficientnet_b0"),
    Network("EfficientNet-B1", "EfficientNet", "efficientnet_b1", 240),
    Network("EfficientNet-B2", "EfficientNet", "efficientnet_b2", 260),
    Network("EfficientNet-B3", "EfficientNet", "efficientnet_b3", 300),
    Network("MobileNet-V3-Small", "MobileNetV3", "mobilenet_v3_small"),
    Network("MobileNet-V3-Large", "MobileNetV3", "mobilenet_v3_large"),
)
NETWORKS = {
    network.name: network
    for network in (
        *(Network(model.name, "ET-NAS", model.encoding) for model in ET_NAS),
        *_PEERS,
    )
}
