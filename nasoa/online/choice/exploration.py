"""Choosing what is not predicted to be best, in order to learn, at a stated cost.

Among the candidates whose predicted accuracy is at most `cost` below the best, the one with the
widest interval is tried: its outcome tells most. So one task is expected to lose at most `cost` of
accuracy to exploration, as far as the predictions go; what it loses in fact is measured in
docs/recommending.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

MOST_COST = 0.1


def check_cost(cost: float) -> float:
    """The accuracy that a task may lose to exploration.

    Raises:
        InvalidInput: it is not from 0 to .1.
    """
    if not 0.0 <= cost <= MOST_COST:
        raise InvalidInput(
            f"expected an exploration cost from 0 to {MOST_COST:g}, in accuracy, got {cost:g}; "
            "0.01 gives up at most one test image in a hundred"
        )
    return cost


def most_informative(predicted: Array, widths: Array, cost: float) -> int:
    """The place of the candidate to try, the best one where none is less certain.

    Args:
        predicted: `(n,)` accuracies, n > 0.
        widths: `(n,)` of their intervals.
        cost: of accuracy, as `check_cost` gives it.
    """
    best = int(np.argmax(predicted))
    allowed = np.flatnonzero(predicted >= predicted[best] - cost)
    widest = int(allowed[np.argmax(widths[allowed])])
    return widest if widths[widest] > widths[best] else best
