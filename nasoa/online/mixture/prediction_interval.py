"""A prediction interval with the nominal coverage on any stream, including drifting ones.

The half width is a factor times the error expected for the row. The factor grows when an outcome
falls outside and shrinks when it falls inside, such that the fraction of outcomes outside converges
to the nominal one on any stream (Gibbs and Candes 2021, "Adaptive conformal inference under
distribution shift"; Angelopoulos et al. 2023, "Conformal PID control").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State

FIRST_ERROR = 0.25
FIRST_FACTOR = 2.0
MEMORY = 0.99
LEAST_SCALE = 1e-4


class AdaptiveInterval:
    """Interval around predictions in [0, 1].

    After T outcomes the fraction inside differs from `coverage` by at most (range of the logarithm
    of the factor) / (step T).

    Args:
        coverage: fraction of outcomes that should be inside.
        step: step size of the logarithm of the factor.
    """

    def __init__(self, *, coverage: float = 0.9, step: float = 0.1) -> None:
        self.coverage = coverage
        self.step = step
        self._log_factor = float(np.log(FIRST_FACTOR))
        self._error = FIRST_ERROR
        self._weight = 1.0

    def half_width(self, spread: Array) -> Array:
        """Return `(n,)` half widths, given the disagreement `spread` `(n,)` of the experts."""
        scale = np.sqrt((self._error / self._weight) ** 2 + spread**2)
        widths: Array = np.exp(self._log_factor) * np.maximum(scale, LEAST_SCALE)
        return widths

    def around(self, predicted: Array, spread: Array | float = 0.0) -> tuple[Array, Array]:
        """Return `(n,)` lower and `(n,)` upper bounds around predictions, in [0, 1].

        Args:
            predicted: `(n,)` predictions in [0, 1].
            spread: disagreement of the experts, `(n,)` or one value for all.
        """
        half = self.half_width(np.broadcast_to(spread, predicted.shape))
        return np.maximum(predicted - half, 0.0), np.minimum(predicted + half, 1.0)

    def observe(self, spread: float, error: float) -> None:
        """Update with the absolute error of a prediction made before its outcome was known."""
        inside = error <= float(self.half_width(np.array([spread]))[0])
        outside = 1.0 - self.coverage
        self._log_factor += self.step * ((0.0 if inside else 1.0) - outside)
        self._error = MEMORY * self._error + error
        self._weight = MEMORY * self._weight + 1.0

    def state(self) -> State:
        """Return the full state as arrays."""
        kept = [self.coverage, self.step, self._log_factor, self._error, self._weight]
        return {"kept": np.array(kept)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> AdaptiveInterval:
        """Restore an interval from its `state()`."""
        coverage, step, log_factor, error, weight = state["kept"].tolist()
        interval = cls(coverage=coverage, step=step)
        interval._log_factor, interval._error, interval._weight = log_factor, error, weight
        return interval
