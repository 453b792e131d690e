"""Import the published ET-NAS checkpoints.

Their keys: `layers.0..5` are the stem (ReLUs have none), followed by one `layers.k` per block with
`module_list.i.0.{0,1}` for the convolution and BN of operator i and `module_list.i.j.conv.{0,1}`
for the j-th skip that ends there; `fc` is the linear layer. Compared with Table 10, the files named
E and F are exchanged, and so are G and H; therefore a file is recognised by its shapes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nasoa.arch import ArchSpec, StagedNetwork, build_network, parse
from nasoa.arch.network import Block
from nasoa.errors import WeightsError
from nasoa.zoo.et_nas import ET_NAS, PublishedModel
from nasoa.zoo.weight_files import mismatch

STEM_LAYERS = 6
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def published_keys(network: StagedNetwork) -> dict[str, str]:
    """Return the published key of each state-dict key, for a network of `build_network`."""
    prefixes = {f"stem.{i}": f"layers.{i}" for i in range(STEM_LAYERS)}
    layer = STEM_LAYERS
    for s, stage in enumerate(network.stages):
        for b, block in enumerate(stage.children()):
            assert isinstance(block, Block)
            ours, theirs = f"stages.{s}.{b}", f"layers.{layer}.module_list"
            for i, skips in enumerate(block.skips):
                prefixes[f"{ours}.operators.{i}"] = f"{theirs}.{i}.0"
                for j, _skip in enumerate(skips.children()):
                    prefixes[f"{ours}.skips.{i}.{j}.projection"] = f"{theirs}.{i}.{j + 1}.conv"
            layer += 1
    prefixes["head.fc"] = "fc"
    keys = {}
    for key in network.state_dict():
        prefix = max((p for p in prefixes if key.startswith(p + ".")), key=len, default=None)
        if prefix is not None:
            keys[key] = prefixes[prefix] + key[len(prefix) :]
    return keys


def load_published(
    spec: ArchSpec, state_dict: Mapping[str, Tensor], num_classes: int = 1000
) -> StagedNetwork:
    """Build the network of `spec` and load a published checkpoint strictly.

    Raises:
        WeightsError: a key is missing or unexpected, or a shape differs; the message names the
            first difference.
    """
    with torch.device("meta"):  # an encoding may claim any size
        network = build_network(spec, num_classes)
    own = network.state_dict()
    keys = published_keys(network)
    if len(keys) < len(own):
        raise WeightsError(
            f"{spec} has a concatenation into its last node, which no published network has"
        )
    problem = mismatch({theirs: own[ours] for ours, theirs in keys.items()}, state_dict)
    if problem:
        raise WeightsError(f"weights do not fit {spec}: {problem}")
    network = build_network(spec, num_classes)
    network.load_state_dict({ours: state_dict[theirs] for ours, theirs in keys.items()})
    return network


def recognise(state_dict: Mapping[str, Tensor]) -> tuple[PublishedModel, StagedNetwork]:
    """Recognise the row of Table 10 that a checkpoint holds by its shapes, and load its network.

    Raises:
        WeightsError: the checkpoint is not one of the twelve.
    """
    if "fc.bias" not in state_dict:
        raise WeightsError(
            "expected a published ET-NAS checkpoint with the key 'fc.bias', but it has none"
        )
    num_classes = max(1, state_dict["fc.bias"].numel())
    for model in ET_NAS:
        with torch.device("meta"):
            network = build_network(parse(model.encoding), num_classes)
        own = network.state_dict()
        expected = {theirs: own[ours] for ours, theirs in published_keys(network).items()}
        if mismatch(expected, state_dict) is None:
            return model, load_published(parse(model.encoding), state_dict, num_classes)
    raise WeightsError(
        "expected a published ET-NAS checkpoint, but its shapes match none of the twelve networks "
        "of Table 10"
    )
