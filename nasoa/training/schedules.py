"""Learning-rate schedules as multipliers of the regime's rate.

A schedule is a function of progress in [0, 1], the share of the planned training that is done, not
of an iteration: the plan moves as the trainer measures its own steps, and the schedule still ends
where the deadline is. `horizonless` has no end at all: its value depends on the iterations done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

WARMUP_ITERS = 20
WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class Schedule:
    """A named schedule.

    `multiplier(progress, iteration)` is in [0, 1]. `averages`: the result is the moving average
    of the weights, which stands in for a decay where there is no horizon.
    """

    name: str
    multiplier: Callable[[float, int], float]
    averages: bool = False


def _warmup(progress: float) -> float:
    return min(1.0, (progress + 1e-3) / WARMUP_SHARE)


def _constant(progress: float, _iteration: int) -> float:
    return _warmup(progress)


def _step(progress: float, _iteration: int) -> float:
    """Divided by 10 at epochs 150 and 250 of 350 (appendix 6.1)."""
    return _warmup(progress) * 10.0 ** -((progress >= 150 / 350) + (progress >= 250 / 350))


def _cosine(progress: float, _iteration: int) -> float:
    """Loshchilov and Hutter 2017, after a short linear warm-up."""
    return _warmup(progress) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _one_cycle(progress: float, _iteration: int) -> float:
    """Smith and Topin 2018: linear from 1/25 to the peak at 30 %, then cosine to 0."""
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
