"""Learning-rate schedules as multipliers of the regime's learning rate.

A schedule is a function of progress, the fraction of the planned training that is done, and not of
the iteration: the plan changes as the trainer measures its own steps, and the schedule still ends
at the deadline. `horizonless` has no end; its value depends on the number of iterations so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

WARMUP_ITERS = 20
WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule.

    Args:
        name: name of the schedule.
        multiplier: function from progress in [0, 1] and iteration to a factor in [0, 1].
        averages: whether the result of training is a moving average of the weights, which replaces
            the decay of the learning rate if there is no horizon.
    """

    name: str
    multiplier: Callable[[float, int], float]
    averages: bool = False


def _warmup(progress: float) -> float:
    return min(1.0, (progress + 1e-3) / WARMUP_SHARE)


def _constant(progress: float, _iteration: int) -> float:
    return _warmup(progress)


def _step(progress: float, _iteration: int) -> float:
    """Divide by 10 at epochs 150 and 250 of 350 (appendix 6.1)."""
    return _warmup(progress) * 10.0 ** -((progress >= 150 / 350) + (progress >= 250 / 350))


def _cosine(progress: float, _iteration: int) -> float:
    """Decay as a cosine (Loshchilov and Hutter 2017) after a short linear warm-up."""
    return _warmup(progress) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _one_cycle(progress: float, _iteration: int) -> float:
    """Rise linearly from 1/25 to 1 at 30 %, then decay as a cosine (Smith and Topin 2018)."""
    if progress < 0.3:
        return 0.04 + 0.96 * progress / 0.3
    return 0.5 * (1.0 + math.cos(math.pi * (progress - 0.3) / 0.7))


def _horizonless(_progress: float, iteration: int) -> float:
    return min(1.0, (iteration + 1) / WARMUP_ITERS)


SCHEDULES = {
    schedule.name: schedule
    for schedule in (
        Schedule("constant", _constant),
        Schedule("step", _step),
        Schedule("cosine", _cosine),
        Schedule("one_cycle", _one_cycle),
        Schedule("horizonless", _horizonless, averages=True),
    )
}
