"""Exploration: try a candidate that is not predicted to be best, at a stated cost.

Of the candidates whose predicted accuracy is at most `cost` below the best, the one with the widest
interval is tried, because its outcome is the most informative. As far as the predictions hold, a
task is expected to lose at most `cost` of accuracy to exploration; docs/recommending.md reports the
measured loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

MOST_COST = 0.1


def check_cost(cost: float) -> float:
    """Return the accuracy that a task may lose to exploration, if it is valid.

    Raises:
        InvalidInput: the cost is not from 0 to .1.
    """
    if not 0.0 <= cost <= MOST_COST:
        raise InvalidInput(
            f"expected an exploration cost from 0 to {MOST_COST:g}, in accuracy, got {cost:g}; "
            "0.01 gives up at most one test image in a hundred"
        )
    return cost


def most_informative(predicted: Array, widths: Array, cost: float) -> int:
    """Return the index of the candidate to try; the best one if no other is less certain.

    Args:
        predicted: `(n,)` predicted accuracies, n > 0.
        widths: `(n,)` widths of their intervals.
        cost: accuracy that may be given up, as returned by `check_cost`.
    """
    best = int(np.argmax(predicted))
    allowed = np.flatnonzero(predicted >= predicted[best] - cost)
    widest = int(allowed[np.argmax(widths[allowed])])
    return widest if widths[widest] > widths[best] else best
