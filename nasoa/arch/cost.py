"""Parameters, multiply-accumulates and activations of a network (the columns of Table 10)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nasoa.arch.network import StagedNetwork

COUNTED = (nn.Conv2d, nn.Linear, nn.MultiheadAttention)


@dataclass(frozen=True)
class Cost:
    """The cost of a network for one image.

    `params` counts every parameter, including those of BN. `macs` counts the multiply-accumulates
    of convolutions (shortcuts too) and linear layers. `activations` counts the output elements of
    convolutions, and of linear layers on tokens or pixels, which are 1x1 convolutions by another
    name. The products of attention itself are left out.
    """

    params: int
    macs: int
    activations: int


def measure_cost(network: nn.Module, resolution: int) -> Cost:
    """Return the cost of one `(1, 3, resolution, resolution)` image without computing it.

    The network is copied to the meta device, so no memory is allocated.
    """
    return _measure([network], resolution)[0]


def measure_parts(network: StagedNetwork, resolution: int) -> list[Cost]:
    """Return the costs of the stem, the four stages and the head, in this order, for one image."""
    return _measure(network.parts, resolution)


def _measure(parts: list[nn.Module], resolution: int) -> list[Cost]:
    macs = activations = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Any) -> None:
        nonlocal macs, activations
        if isinstance(module, nn.Conv2d):
            macs += output.numel() * module.weight[0].numel()
            activations += output.numel()
        elif isinstance(module, nn.Linear):
            macs += output.numel() * module.in_features
            activations += output.numel() if output.dim() > 2 else 0
        elif isinstance(module, nn.MultiheadAttention):
            # Queries, keys, values and output: its linear layers are used without being called.
            projected = 4 * output[0].numel()
            macs += projected * module.embed_dim
            activations += projected

    costs = []
    features = torch.empty(1, 3, resolution, resolution, device="meta")
    for part in parts:
        shadow = copy.deepcopy(part).to("meta").eval()
        for module in shadow.modules():
            if isinstance(module, COUNTED):
                module.register_forward_hook(count)
        macs = activations = 0
        with torch.no_grad():
            features = shadow(features)
        costs.append(Cost(sum(p.numel() for p in part.parameters()), macs, activations))
    return costs
