"""Time limits of a data set, spaced in log scale (appendix 9).

    t_x = t_0 (t_3 / t_0)^(x / 3), x = 0..3

t_0 is the time to train the smallest network for a few epochs, t_3 that of the largest for many,
with default hyperparameters, on the step clock. The paper's are ResNet18 for 10 epochs and
ResNet101 for 50, and it prints the exponent as x / t_3. Smallest and largest are by the time of a
step. Epochs are fewer by default, so that three seeds at t_1 take two cores a day and not a week.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.final.defaults import step_s, training_limit_s
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.online.regimes.task_times import TaskTimes

NAMES = ("t0", "t1", "t2", "t3")
EPOCHS = (3.0, 10.0)


def limit_s(name: str, times: TaskTimes, epochs: Sequence[float] = EPOCHS) -> float:
    """Return a limit in seconds, to a tenth.

    Args:
        name: `t0` to `t3`, or a duration such as `30s`.
        times: times of all models on the data set.
        epochs: those of t0 and t3.
    """
    if name not in NAMES:
        return parse_duration(name)
    shortest_s, longest_s = ends_s(times, epochs)
    exponent = NAMES.index(name) / (len(NAMES) - 1)
    return round(shortest_s * math.pow(longest_s / shortest_s, exponent), 1)


def ends_s(times: TaskTimes, epochs: Sequence[float]) -> tuple[float, float]:
    """Return t_0 and t_3 in seconds.

    Raises:
        InvalidInput: t_3 is not the longer one.
    """
    smallest, largest = smallest_and_largest(times)
    shortest_s = training_limit_s(times, smallest, epochs[0])
    longest_s = training_limit_s(times, largest, epochs[1])
    if longest_s <= shortest_s:
        raise InvalidInput(
            f"expected {largest} to take longer for {epochs[1]:g} epochs than {smallest} for "
            f"{epochs[0]:g}, but it takes {longest_s:.1f} s and not over {shortest_s:.1f} s; give "
            "--epochs more of the second"
        )
    return shortest_s, longest_s


def smallest_and_largest(times: TaskTimes) -> tuple[str, str]:
    """Return the models whose steps take the shortest and the longest time."""
    by_step = sorted(times.zoo, key=lambda model: step_s(times, model))
    return by_step[0], by_step[-1]
