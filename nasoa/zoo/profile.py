"""Measure the step times of a model on this hardware."""

from __future__ import annotations

from nasoa.arch import StagedNetwork
from nasoa.records import ZooEntry
from nasoa.training.hardware import hardware_key
from nasoa.training.timing import LONGEST_S, TimedSteps
from nasoa.zoo.step_times import StepTime


def profile(
    entry: ZooEntry,
    network: StagedNetwork,
    *,
    resolution: int,
    batch_size: int,
    frozen_stages: int,
    repeats: int = 10,
    longest_s: float = LONGEST_S,
) -> StepTime:
    """Measure the forward pass, backward pass and update on random batches.

    Times are medians after a warm-up. There are fewer repeats if they would take longer than
    `longest_s` seconds.

    The weights of the network are changed.
    """
    scale = (resolution / entry.resolution) ** 2
    timed = TimedSteps(
        network,
        frozen_stages=frozen_stages,
        resolution=resolution,
        batch_size=batch_size,
        longest_s=longest_s,
    )
    return StepTime(
        hardware=hardware_key(),
        model=entry.name,
        resolution=resolution,
        batch_size=batch_size,
        frozen_stages=frozen_stages,
        step_s=timed.step_s(repeats),
        eval_image_s=timed.forward_s(repeats) / batch_size,
        cached_step_s=timed.cached_step_s(repeats) if frozen_stages >= 0 else 0.0,
        part_macs=tuple(round(scale * macs) for macs in entry.part_macs),
        part_activations=tuple(round(scale * count) for count in entry.part_activations),
    )
