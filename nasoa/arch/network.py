"""Build a spec as a `torch.nn.Module` with a stem, four stages that can be frozen, and a head."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from nasoa.arch.block_plan import ConvPlan, SkipPlan, plan_block
from nasoa.arch.encoding import check
from nasoa.arch.spec import ArchSpec


class StagedNetwork(nn.Module):
    """A classifier in parts that run one after another: stem, stages, head.

    Freezing k stages (appendix 6) freezes the first k + 1 parts. The head ends in a linear layer.

    Args:
        stem: `(b, 3, r, r)` -> feature maps.
        stages: four modules, each feature maps -> feature maps.
        head: feature maps -> `(b, num_classes)`.
    """

    def __init__(self, stem: nn.Module, stages: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.head = head

    @property
    def parts(self) -> list[nn.Module]:
        """Stem, stages and head, in the order they run."""
        return [self.stem, *self.stages, self.head]

    @property
    def num_classes(self) -> int:
        """Number of classes of the head."""
        last = [module for module in self.head.modules() if isinstance(module, nn.Linear)][-1]
        return last.out_features

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits: `(b, 3, r, r)` normalised images -> `(b, num_classes)`."""
        features = images
        for part in self.parts:
            features = part(features)
        return features


class PooledLinear(nn.Module):
    """Global average pooling and one linear layer."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits: `(b, c, h, w)` -> `(b, num_classes)`."""
        return cast(Tensor, self.fc(features.mean(dim=(2, 3))))


class ConvBN(nn.Sequential):
    """A convolution without bias, followed by batch normalisation."""

    def __init__(self, plan: ConvPlan) -> None:
        super().__init__(
            nn.Conv2d(
                plan.in_channels,
                plan.out_channels,
                plan.kernel_size,
                stride=plan.stride,
                padding=plan.kernel_size // 2,
                groups=plan.groups,
                bias=False,
            ),
            nn.BatchNorm2d(plan.out_channels),
        )


class SkipConnection(nn.Module):
    """Merge the value of an earlier node into the current one by addition or concatenation."""

    def __init__(self, plan: SkipPlan) -> None:
        super().__init__()
        self.kind = plan.skip.kind
        self.source = plan.skip.source
        self.projection = ConvBN(plan.projection) if plan.projection else nn.Identity()
        self.reduction = ConvBN(plan.reduction) if plan.reduction else nn.Identity()

    def forward(self, here: Tensor, source: Tensor) -> Tensor:
        """Merge `(b, c', h', w')` of the source into `(b, c, h, w)` of this node."""
        source = self.projection(source)
        if self.kind == "a":
            return here + source
        return cast(Tensor, self.reduction(torch.cat([source, here], dim=1)))


class Block(nn.Module):
    """One block of the architecture at given channels and stride."""

    def __init__(self, spec: ArchSpec, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        nodes = plan_block(spec.block, in_channels, width, stride)
        self.operators = nn.ModuleList(ConvBN(node.operator) for node in nodes)
        self.skips = nn.ModuleList(
            nn.ModuleList(SkipConnection(skip) for skip in node.skips) for node in nodes
        )

    def forward(self, features: Tensor) -> Tensor:
        """Apply the block: `(b, in_channels, h, w)` -> `(b, width, h / stride, w / stride)`."""
        values = [features]
        for operator, skips in zip(self.operators, self.skips, strict=True):
            value = operator(values[-1])
            for skip in cast(nn.ModuleList, skips):
                value = skip(value, values[cast(SkipConnection, skip).source])
            values.append(torch.relu(value))
        return values[-1]


def build_stem(channels: int) -> nn.Sequential:
    """Build three 3x3 convolutions with BN and ReLU: `channels` channels, a quarter of the side."""
    half = channels // 2
    plans = [
        ConvPlan(3, half, 3, stride=2),
        ConvPlan(half, half, 3),
        ConvPlan(half, channels, 3, stride=2),
    ]
    layers: list[nn.Module] = []
    for plan in plans:
        layers += [ConvBN(plan), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def build_network(spec: ArchSpec, num_classes: int = 1000) -> StagedNetwork:
    """Build the network of `spec` with fresh weights (He et al. 2015, as torchvision's ResNet).

    Raises:
        EncodingError: the spec cannot be built.
    """
    check(spec)
    channels = spec.first_channel
    stages: list[nn.Module] = []
    for index, widths in enumerate(spec.widths):
        blocks = []
        for position, width in enumerate(widths):
            stride = 2 if index > 0 and position == 0 else 1
            blocks.append(Block(spec, channels, width, stride))
            channels = width
        stages.append(nn.Sequential(*blocks))
    network = StagedNetwork(
        build_stem(spec.first_channel), stages, PooledLinear(channels, num_classes)
    )
    for module in network.modules():
        # Random numbers for weights without memory would import torch's compiler: two seconds.
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
