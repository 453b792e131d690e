"""Accuracies on the scale of log-odds, and what a result adds to an expectation there.

On this scale source accuracy predicts target accuracy linearly (Kornblith et al. 2019), .97 and .99
are as far apart as .5 and .75, and what is added to an expectation never leaves (0, 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A test of some hundred images does not tell 1 from .995.
LEAST = 0.005


def log_odds(accuracies: ArrayLike) -> Array:
    """`log(a / (1 - a))`, a cut to [.005, .995]."""
    kept = np.clip(np.asarray(accuracies, dtype=np.float64), LEAST, 1.0 - LEAST)
    return np.log(kept) - np.log1p(-kept)


def from_log_odds(values: ArrayLike) -> Array:
    """The accuracy with these log-odds, in (0, 1)."""
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(values, dtype=np.float64))


def surplus(accuracies: ArrayLike, expected: Array) -> Array:
    """What results add to expectations: in (0, 1), 1/2 where a result is as expected.

    Args:
        accuracies: `(n,)` in [0, 1].
        expected: `(n,)` log-odds.
    """
    return from_log_odds(log_odds(accuracies) - expected)
