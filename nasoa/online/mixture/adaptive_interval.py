"""An interval that holds its share of outcomes on any stream, drifting ones too.

The half width is a factor times how large errors are expected to be here; the factor grows when an
outcome falls outside and shrinks when it falls inside, such that outcomes outside make up the
nominal share in the long run whatever the stream does (Gibbs and Candes 2021, "Adaptive conformal
inference under distribution shift"; Angelopoulos et al. 2023, "Conformal PID control").
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
    """Bounds around predictions in [0, 1].

    After T outcomes the share inside is off by at most (range of the logarithm of the factor) /
    (step T).

    Args:
        coverage: share of outcomes that should be inside.
        step: of the logarithm of the factor.
    """

    def __init__(self, *, coverage: float = 0.9, step: float = 0.1) -> None:
        self.coverage = coverage
        self.step = step
        self._log_factor = float(np.log(FIRST_FACTOR))
        self._error = FIRST_ERROR
        self._weight = 1.0

    def half_width(self, spread: Array) -> Array:
        """`(n,)` half the widths, where the experts disagree by `spread`, `(n,)`."""
        scale = np.sqrt((self._error / self._weight) ** 2 + spread**2)
        widths: Array = np.exp(self._log_factor) * np.maximum(scale, LEAST_SCALE)
        return widths

    def around(self, predicted: Array, spread: Array | float = 0.0) -> tuple[Array, Array]:
        """`(n,)` lowest and `(n,)` highest outcomes around predictions, `(n,)`, in [0, 1].

        Args:
            predicted: in [0, 1].
            spread: by how much the experts disagree, `(n,)` or one for all.
        """
        half = self.half_width(np.broadcast_to(spread, predicted.shape))
        return np.maximum(predicted - half, 0.0), np.minimum(predicted + half, 1.0)

    def observe(self, spread: float, error: float) -> None:
        """Note the absolute error of a prediction that was made before its outcome was known."""
        inside = error <= float(self.half_width(np.array([spread]))[0])
        outside = 1.0 - self.coverage
        self._log_factor += self.step * ((0.0 if inside else 1.0) - outside)
        self._error = MEMORY * self._error + error
        self._weight = MEMORY * self._weight + 1.0

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        kept = [self.coverage, self.step, self._log_factor, self._error, self._weight]
        return {"kept": np.array(kept)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> AdaptiveInterval:
        """The interval that `state()` was called on."""
        coverage, step, log_factor, error, weight = state["kept"].tolist()
        interval = cls(coverage=coverage, step=step)
        interval._log_factor, interval._error, interval._weight = log_factor, error, weight
        return interval
