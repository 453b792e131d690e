"""Prepare a backbone for the zoo: its network, weights and description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.errors import BackboneError, InvalidInput, WeightsError
from nasoa.records import ZooEntry
from nasoa.work_progress import report_progress
from nasoa.zoo.additions import Addition
from nasoa.zoo.backbones import Builder, in_stages
from nasoa.zoo.library import IMAGENET, Pretraining
from nasoa.zoo.networks import describe
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD, load_published
from nasoa.zoo.weight_files import check_fit, load_strictly, read_checkpoint, to_safetensors

PUBLISHED_HEAD = "fc.bias"
OWN_HEAD = "head.fc.bias"
MIN_RESOLUTION = 16
OTHER_SIZES = (64, 160)  # a small and a middle one of those at which networks are fine-tuned, in px
PARTS = "parts (reading, describing, storing)"
FILE_SUFFIXES = (".pth", ".pt", ".tar", ".bin", ".ckpt", ".safetensors")


def take_in(request: Addition) -> tuple[ZooEntry, bytes]:
    """Return the entry and the safetensors weights of a requested backbone.

    Raises:
        InvalidInput: the request is incomplete, or a value is out of range.
        UnknownName: the library, network or weights do not exist; suggests similar names.
        BackboneError: the network has no classifier head or no stages, or cannot be built here.
        WeightsError: the weights are missing, cannot be read, or do not fit.
    """
    if request.resolution and request.resolution < MIN_RESOLUTION:
        raise InvalidInput(
            f"expected a resolution of at least {MIN_RESOLUTION} px, got {request.resolution}"
        )
    if request.accuracy is not None and not 0 < request.accuracy < 1:
        raise InvalidInput(f"expected an accuracy between 0 and 1, got {request.accuracy}")
    if not request.encoding and Path(request.model).suffix in FILE_SUFFIXES:
        raise InvalidInput(
            f"expected the architecture of {request.model}, which cannot be told from the weights "
            "alone; give it with --encoding, or a library's network as torchvision:NAME --weights "
            "FILE"
        )
    report_progress(PARTS, 0, 3)
    taken = _of_file(request) if request.encoding else _of_library(request)
    report_progress(PARTS, 2, 3)
    return taken


def _of_library(request: Addition) -> tuple[ZooEntry, bytes]:
    builder = Builder.parse(request.model)
    library = builder.library
    known = library.pretraining(builder.name, builder.weights)
    if request.weights is not None and not builder.weights:
        # The accuracy of the library's own weights does not hold for a user's file.
        known = replace(known, name=builder.name, source="", accuracy=None, license="")
    pretraining = _completed(known, request)
    file = request.weights or library.weights_file(builder.name, builder.weights)
    state = read_checkpoint(file)
    report_progress(PARTS, 1, 3)
    num_classes = _rows_of_the_head(state, _blueprint(builder, pretraining.resolution), builder)
    model = library.load(builder.name, num_classes, pretraining.resolution, state)
    network = in_stages(model, builder, pretraining.resolution)
    return _described(network, pretraining, type(model).__name__, builder=str(builder))


def _of_file(request: Addition) -> tuple[ZooEntry, bytes]:
    """Return a network of the architecture language, with nasoa's keys or the published ones."""
    file = Path(request.model)
    state = read_checkpoint(file)
    report_progress(PARTS, 1, 3)
    known = Pretraining(
        name=file.name.split(".")[0],
        resolution=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        source="",
        accuracy=None,
    )
    pretraining = _completed(known, request)
    spec = parse(request.encoding)
    if OWN_HEAD in state:
        num_classes = state[OWN_HEAD].numel()
        with torch.device("meta"):  # an encoding may claim any size
            check_fit(build_network(spec, num_classes), state, str(spec))
        network = build_network(spec, num_classes)
        load_strictly(network, state, str(spec))
    elif PUBLISHED_HEAD in state:
        network = load_published(spec, state, state[PUBLISHED_HEAD].numel())
    else:
        raise WeightsError(
            f"{file}: expected the weights of a whole classifier, with {OWN_HEAD!r}, or "
            f"{PUBLISHED_HEAD!r} as in published files, but neither is in it"
        )
    return _described(network, pretraining, "ET-NAS", encoding=str(spec))


def _completed(known: Pretraining, request: Addition) -> Pretraining:
    """Complete what the library provides with what the user requests instead."""
    accuracy = known.accuracy if request.accuracy is None else request.accuracy
    if accuracy is None:
        raise InvalidInput(
            f"expected the accuracy of {known.name} on its pretraining data, by which it is "
            "compared with other models, but it is unknown; give it with --accuracy, like 0.75"
        )
    return replace(
        known,
        name=request.name or known.name,
        resolution=request.resolution or known.resolution,
        source=request.source or known.source or IMAGENET,
        accuracy=accuracy,
    )


def _blueprint(builder: Builder, resolution: int) -> nn.Module:
    """Build the network for one class, without memory for its weights where possible."""
    try:
        with torch.device("meta"):
            return builder.library.build(builder.name, 1, resolution)
    except RuntimeError:  # torchvision's RegNet computes its widths with tensors
        return builder.library.build(builder.name, 1, resolution)


def _rows_of_the_head(state: Mapping[str, Tensor], blueprint: nn.Module, builder: Builder) -> int:
    """Return the number of classes of the weights: the rows of the last linear layer.

    The order of keys in a file does not tell which is last: safetensors sorts them by name.
    """
    own = blueprint.state_dict()
    heads = [key for key, value in own.items() if value.dim() == 2 and len(value) == 1]
    if not heads:
        raise BackboneError(
            f"{builder}: expected a classifier that ends in a linear layer, but it has none"
        )
    head = heads[-1]
    if head in state:
        return state[head].shape[:1].numel()
    # timm renames the keys of older files. A head under any name has the same number of columns,
    # and a shape that occurs nowhere else in the network.
    shapes = {value.shape for value in own.values()}
    others = [
        value
        for value in state.values()
        if value.dim() == 2 and value.shape[1:] == own[head].shape[1:] and value.shape not in shapes
    ]
    if not others:
        raise WeightsError(
            f"weights do not fit {builder}: expected a tensor {head!r}, but there is none"
        )
    return len(others[-1])


def _described(
    network: StagedNetwork,
    pretraining: Pretraining,
    family: str,
    *,
    encoding: str = "",
    builder: str = "",
) -> tuple[ZooEntry, bytes]:
    entry = describe(
        network,
        pretraining,
        family=family,
        encoding=encoding,
        builder=builder,
    )
    if builder:
        parsed = Builder.parse(builder)
        is_fixed = parsed.library.takes_one_size(parsed.name) or not _takes_other_sizes(network)
        entry = replace(entry, fixed_resolution=is_fixed)
    return entry, to_safetensors(network.state_dict())


def _takes_other_sizes(network: StagedNetwork) -> bool:
    """Return whether a network takes images of other sizes, whatever its library says."""
    network.eval()
    try:
        with torch.no_grad():
            for side in OTHER_SIZES:
                network(torch.zeros(1, 3, side, side))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True
