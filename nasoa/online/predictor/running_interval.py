"""How sure a prediction is: a running conformal interval from past errors.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018) with the latest absolute errors as
calibration set, each of a prediction that was made before its outcome was learned. For exchangeable
errors the interval covers at least its nominal share; on a stream that drifts, old errors drop out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]


class RunningInterval:
    """An interval around predicted accuracies, as wide as the latest errors were.

    Args:
        coverage: share of outcomes that the interval should hold.
        capacity: errors that are kept, the latest.
        default_half_width: half the width while there are too few errors to tell: fewer than
            `coverage / (1 - coverage)`, 9 for 0.9. A larger error that was seen counts instead.

    >>> interval = RunningInterval()
    >>> interval.around(0.75)
    (0.25, 1.0)
    >>> for outcome in (0.79, 0.82, 0.80, 0.81, 0.78, 0.80, 0.79, 0.83, 0.80, 0.81):
    ...     interval.observe(0.8, outcome)
    >>> low, high = interval.around(0.8)
    >>> round(low, 2), round(high, 2)
    (0.77, 0.83)
    """

    def __init__(
        self, *, coverage: float = 0.9, capacity: int = 500, default_half_width: float = 0.5
    ) -> None:
        if not 0 < coverage < 1:
            raise InvalidInput(f"Expected coverage to be between 0 and 1 but it was {coverage}")
        if capacity < 1:
            raise InvalidInput(f"Expected capacity to be at least 1 but it was {capacity}")
        self.coverage = coverage
        self.capacity = capacity
        self.default_half_width = default_half_width
        self._errors: Array = np.empty(0)

    def observe(self, predicted: ArrayLike, outcome: ArrayLike) -> None:
        """Note predictions, `()` or `(n,)`, made before `outcome` of the same shape was learned.

        Raises:
            InvalidInput: shapes differ, or an error is not finite; nothing is noted then.
        """
        before = np.asarray(predicted, dtype=np.float64)
        after = np.asarray(outcome, dtype=np.float64)
        if before.shape != after.shape or before.ndim > 1:
            raise InvalidInput(
                f"Expected outcome to be an array with shape {before.shape} but it had shape "
                f"{after.shape}"
            )
        errors = np.abs(np.atleast_1d(before - after))
        if not np.isfinite(errors).all():
            raise InvalidInput("Expected predictions and outcomes to be finite but one is not")
        self._errors = np.concatenate([self._errors, errors])[-self.capacity :]

    @property
    def half_width(self) -> float:
        """Half the width before it is cut to [0, 1]."""
        count = len(self._errors)
        rank = math.ceil((count + 1) * self.coverage - 1e-9)
        if rank > count:
            return float(max(self.default_half_width, self._errors.max(initial=0.0)))
        return float(np.partition(self._errors, rank - 1)[rank - 1])

    def around(self, predicted: ArrayLike) -> tuple[Any, Any]:
        """Lowest and highest accuracy, each of the shape of `predicted`, in [0, 1]."""
        centre = np.asarray(predicted, dtype=np.float64)
        low = np.clip(centre - self.half_width, 0.0, 1.0)
        high = np.clip(centre + self.half_width, 0.0, 1.0)
        return (low, high) if centre.ndim else (float(low), float(high))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything there is to keep, as arrays; `from_state` gives the same interval back."""
        return {
            "errors": self._errors.copy(),
            "coverage": np.array(self.coverage),
            "capacity": np.array(self.capacity),
            "default_half_width": np.array(self.default_half_width),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> RunningInterval:
        """The interval that `state()` was called on.

        Raises:
            InvalidInput: an array is missing.
        """
        missing = {"errors", "coverage", "capacity", "default_half_width"} - set(state)
        if missing:
            raise InvalidInput(f"Expected an interval state but it has no {sorted(missing)}")
        interval = cls(
            coverage=float(state["coverage"]),
            capacity=int(state["capacity"]),
            default_half_width=float(state["default_half_width"]),
        )
        interval._errors = np.array(state["errors"], dtype=np.float64)[-interval.capacity :]
        return interval
