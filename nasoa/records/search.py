"""What a search measures of an architecture."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import AtLeastOne, Count, Fraction, NotNegative, Seconds, Seed
from nasoa.records.training import CurvePoint


@dataclass(frozen=True, kw_only=True)
class ArchCosts:
    """What an architecture costs, measured on the search's parent node.

    `step_time_ms`: forward, backward and update of one batch; `inference_ms`: forward of one
    batch; medians after a warm-up. `train_memory_bytes`: parameters, gradients, momentum, and what
    the forward pass of a batch keeps for the backward pass. `macs` and `activations` are those of
    one image, as Table 10 counts them.
    """

    encoding: str
    resolution: AtLeastOne
    batch_size: AtLeastOne
    step_time_ms: NotNegative
    inference_ms: NotNegative
    train_memory_bytes: Count
    macs: Count
    params: Count
    activations: Count
    hardware: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One architecture of a search: its costs and how well it trained, or why it did not.

    `accuracy` is that on the proxy's validation images at the end of the short training; None
    where `failure` says what went wrong: "too slow" (its step takes longer than the search allows,
    so it was not trained), "out of memory", "diverged", "timeout", "crashed". `score` is what the
    search maximises, in [0, 1], where that is not the accuracy (`EvaluateConfig.signal`). `seed`
    is that of the weights and batches, `config_hash` names the search's configuration.
    """

    encoding: str
    costs: ArchCosts
    accuracy: Fraction | None
    failure: str
    detail: str
    seed: Seed
    curve: tuple[CurvePoint, ...]
    elapsed_s: Seconds
    hardware: str
    config_hash: str
    code_version: str
    created_at: str
    score: Fraction | None = None
