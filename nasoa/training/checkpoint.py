"""Save the state of a training run as a safetensors document, so that a killed run can resume.

Batches and augmentation are functions of the seed and the iteration, so no generator state is
saved.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nasoa.errors import CorruptRecord
from nasoa.records import CurvePoint
from nasoa.seal import metadata_of

Weights = dict[str, Tensor]


@dataclass
class RunState:
    """State of a training run.

    Args:
        iteration: number of updates so far.
        elapsed_s: seconds of the task so far.
        best_iteration: iteration of the checkpoint that validation has selected so far.
        best_accuracy: validation accuracy of that checkpoint; -1 before the first validation.
        highest_accuracy: highest validation accuracy so far, perhaps of another checkpoint.
        curve: results of all validations.
        network: weights that are being trained.
        momentum: momentum buffers of the optimiser by parameter name.
        average: moving average of the weights; empty if none is computed.
        best: weights of the selected checkpoint.
    """

    iteration: int = 0
    elapsed_s: float = 0.0
    best_iteration: int = 0
    best_accuracy: float = -1.0
    highest_accuracy: float = -1.0
    curve: list[CurvePoint] = field(default_factory=list)
    network: Weights = field(default_factory=dict)
    momentum: Weights = field(default_factory=dict)
    average: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)


_GROUPS = ("network", "momentum", "average", "best")


def to_bytes(state: RunState) -> bytes:
    """Return the state as a safetensors document, with the plain values in its metadata."""
    tensors = {
        f"{group}/{name}": tensor.contiguous()
        for group in _GROUPS
        for name, tensor in getattr(state, group).items()
    }
    plain = {
        "iteration": state.iteration,
        "elapsed_s": state.elapsed_s,
        "best_iteration": state.best_iteration,
        "best_accuracy": state.best_accuracy,
        "highest_accuracy": state.highest_accuracy,
        "curve": [asdict(point) for point in state.curve],
    }
    # A state without weights still has one, empty, tensor.
    tensors["/"] = torch.zeros(0)
    return save(tensors, {"state": msgspec.json.encode(plain).decode()})


@dataclass
class _Plain:
    iteration: int
    elapsed_s: float
    best_iteration: int
    best_accuracy: float
    highest_accuracy: float
    curve: list[CurvePoint]


def from_bytes(raw: bytes, key: str) -> RunState:
    """Return the state that `to_bytes` saved.

    Raises:
        CorruptRecord: `raw` is not such a document; the message names `key`.
    """
    try:
        tensors = load(raw)
        plain = msgspec.json.decode(metadata_of(raw)["state"], type=_Plain)
    except (SafetensorError, LookupError, ValueError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None
    state = RunState(
        plain.iteration,
        plain.elapsed_s,
        plain.best_iteration,
        plain.best_accuracy,
        plain.highest_accuracy,
        plain.curve,
    )
    for name, tensor in tensors.items():
        group, _, weight = name.partition("/")
        if group in _GROUPS:
            getattr(state, group)[weight] = tensor
        elif group:
            raise CorruptRecord(key, f"expected tensors of {', '.join(_GROUPS)}, got {name!r}")
    return state
