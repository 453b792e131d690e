"""Accuracies on the log-odds scale, and how far a result differs from an expectation there.

On this scale source accuracy predicts target accuracy linearly (Kornblith et al. 2019), .97 and .99
are as far apart as .5 and .75, and a value added to an expectation never leads outside (0, 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A test on a few hundred images does not distinguish 1 from .995.
LEAST = 0.005


def log_odds(accuracies: ArrayLike) -> Array:
    """Return `log(a / (1 - a))` with a clipped to [.005, .995]."""
    kept = np.clip(np.asarray(accuracies, dtype=np.float64), LEAST, 1.0 - LEAST)
    return unclipped_log_odds(kept)


def unclipped_log_odds(fractions: ArrayLike) -> Array:
    """Return `log(a / (1 - a))` of fractions in [0, 1], infinite at the ends."""
    kept = np.asarray(fractions, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(kept) - np.log1p(-kept))


def from_log_odds(values: ArrayLike) -> Array:
    """Return the accuracies with these log-odds, in (0, 1)."""
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(values, dtype=np.float64))


def surplus(accuracies: ArrayLike, expected: Array) -> Array:
    """Return how far results exceed expectations: in (0, 1), 1/2 if a result is as expected.

    Args:
        accuracies: `(n,)` accuracies in [0, 1].
        expected: `(n,)` expected log-odds.
    """
    return from_log_odds(log_odds(accuracies) - expected)
