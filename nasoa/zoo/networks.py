"""Networks of zoo entries: their weights read, written and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nasoa.arch import StagedNetwork, build_network, measure_parts, parse
from nasoa.arch.network import PooledLinear
from nasoa.errors import WeightsError
from nasoa.records import ZooEntry
from nasoa.zoo.backbones import build_staged
from nasoa.zoo.weight_files import mismatch


def describe(
    name: str,
    network: StagedNetwork,
    *,
    encoding: str,
    family: str,
    resolution: int,
    num_classes: int,
    source: str,
    source_accuracy: float,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    builder: str = "",
) -> ZooEntry:
    """The entry of a network, its costs counted."""
    costs = measure_parts(network, resolution)
    return ZooEntry(
        name=name,
        family=family,
        encoding=encoding,
        num_params=sum(cost.params for cost in costs),
        part_macs=tuple(cost.macs for cost in costs),
        part_activations=tuple(cost.activations for cost in costs),
        resolution=resolution,
        mean=mean,
        std=std,
        num_classes=num_classes,
        source=source,
        source_accuracy=source_accuracy,
        builder=builder,
    )


def for_classes(entry: ZooEntry, num_classes: int) -> ZooEntry:
    """The entry with a head of so many classes, its costs changed accordingly.

    A head costs one multiply-accumulate a weight, so the old head's tell its input features.
    """
    in_features = entry.part_macs[-1] // entry.num_classes
    added = num_classes - entry.num_classes
    return replace(
        entry,
        num_classes=num_classes,
        num_params=entry.num_params + added * (in_features + 1),
        part_macs=(*entry.part_macs[:-1], in_features * num_classes),
    )


def to_safetensors(state: Mapping[str, Tensor]) -> bytes:
    """Weights in float16, but for integers and what is out of its range."""
    return save({key: _halved(value.detach()).contiguous().cpu() for key, value in state.items()})


def _halved(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    half = value.to(torch.float16)
    return half if torch.isfinite(half).all() else value.float()


def build(entry: ZooEntry) -> StagedNetwork:
    """The entry's network with fresh weights.

    Raises:
        BackboneError: it cannot be built here.
    """
    if not entry.builder:
        return build_network(parse(entry.encoding), entry.num_classes)
    return build_staged(entry.builder, entry.num_classes, entry.resolution)


def load_network(entry: ZooEntry, weights: bytes, num_classes: int | None = None) -> StagedNetwork:
    """The entry's network with its weights; a fresh head when `num_classes` is given.

    Raises:
        WeightsError: the weights cannot be read or do not fit the entry's network.
        BackboneError: the network cannot be built here.
    """
    try:
        state = load(weights)
    except SafetensorError as error:
        raise WeightsError(
            f"weights of {entry.name}: not a safetensors document ({error})"
        ) from None
    network = build(entry)
    problem = mismatch(network.state_dict(), state)
    if problem:
        kind = entry.encoding or entry.builder
        raise WeightsError(f"weights of {entry.name} do not fit {kind}: {problem}")
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    if num_classes is not None:
        head = network.head
        assert isinstance(head, PooledLinear)
        network.head = PooledLinear(head.fc.in_features, num_classes)
        torch.nn.init.zeros_(network.head.fc.weight)
        torch.nn.init.zeros_(network.head.fc.bias)
    return network
