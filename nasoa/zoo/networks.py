"""Networks of zoo entries: describe them, build them, and load their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from nasoa.arch import StagedNetwork, build_network, measure_parts, parse
from nasoa.arch.network import PooledLinear
from nasoa.errors import WeightsError
from nasoa.records import ZooEntry
from nasoa.zoo.backbones import Builder, build_staged, in_stages
from nasoa.zoo.library import Pretraining
from nasoa.zoo.weight_files import COUNTER, mismatch


def describe(
    network: StagedNetwork,
    pretraining: Pretraining,
    *,
    family: str,
    encoding: str = "",
    builder: str = "",
) -> ZooEntry:
    """Return the entry of a network, with its costs.

    Args:
        network: the network.
        pretraining: its name and how it was pretrained, with the accuracy.
        family: name of the family of architectures.
        encoding: encoding in the architecture language; "" for other backbones.
        builder: how another backbone is built.
    """
    assert pretraining.accuracy is not None
    costs = measure_parts(network, pretraining.resolution)
    return ZooEntry(
        name=pretraining.name,
        family=family,
        encoding=encoding,
        num_params=sum(cost.params for cost in costs),
        part_macs=tuple(cost.macs for cost in costs),
        part_activations=tuple(cost.activations for cost in costs),
        resolution=pretraining.resolution,
        mean=pretraining.mean,
        std=pretraining.std,
        num_classes=network.num_classes,
        source=pretraining.source,
        source_accuracy=pretraining.accuracy,
        builder=builder,
        license=pretraining.license,
    )


def for_classes(entry: ZooEntry, num_classes: int) -> ZooEntry:
    """Return the entry with a head of the given number of classes and the costs of that head.

    Its weights are not those in the zoo. A head costs one multiply-accumulate per weight, so its
    input features follow from the old cost.
    """
    in_features = entry.part_macs[-1] // entry.num_classes
    added = num_classes - entry.num_classes
    return replace(
        entry,
        num_classes=num_classes,
        weights_sha256="",
        num_params=entry.num_params + added * (in_features + 1),
        part_macs=(*entry.part_macs[:-1], in_features * num_classes),
    )


def build(entry: ZooEntry) -> StagedNetwork:
    """Build the network of an entry with fresh weights.

    Raises:
        BackboneError: the network cannot be built here.
    """
    if not entry.builder:
        return build_network(parse(entry.encoding), entry.num_classes)
    return build_staged(entry.builder, entry.num_classes, entry.resolution)


def load_network(entry: ZooEntry, weights: bytes, num_classes: int | None = None) -> StagedNetwork:
    """Build the network of an entry with its weights, and a fresh head if `num_classes` is given.

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
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    network, problem = _with_weights(entry, floats)
    if problem:
        kind = entry.encoding or entry.builder
        raise WeightsError(f"weights of {entry.name} do not fit {kind}: {problem}")
    if num_classes is not None:
        head = network.head
        assert isinstance(head, PooledLinear)
        network.head = PooledLinear(head.fc.in_features, num_classes)
        torch.nn.init.zeros_(network.head.fc.weight)
        torch.nn.init.zeros_(network.head.fc.bias)
    return network


def _with_weights(entry: ZooEntry, state: Mapping[str, Tensor]) -> tuple[StagedNetwork, str | None]:
    """Build the network and load weights with keys of either its parts or its library.

    Returns:
        The network, and the first difference if the weights do not fit, else None.
    """
    if entry.builder:
        builder = Builder.parse(entry.builder)
        if not any(value.shape[:1] == (entry.num_classes,) for value in state.values()):
            raise WeightsError(
                f"weights of {entry.name} do not fit {builder}: expected a head of "
                f"{entry.num_classes} classes, but none of the tensors has as many rows"
            )
        model = builder.library.build(builder.name, entry.num_classes, entry.resolution)
        own = model.state_dict()
        # Files may lack the counters of batch normalisation, which have no effect.
        whole = {k: v for k, v in own.items() if k.endswith(COUNTER)} | dict(state)
        if mismatch(own, whole) is None:
            model.load_state_dict(whole)
            return in_stages(model, builder, entry.resolution), None
        network = in_stages(model, builder, entry.resolution)
    else:
        # Without memory at first: an encoding may claim any size.
        with torch.device("meta"):
            network = build(entry)
        if problem := mismatch(network.state_dict(), state):
            return network, problem
        network = build(entry)
    problem = mismatch(network.state_dict(), state)
    if problem is None:
        network.load_state_dict(dict(state))
    return network, problem
