"""Bayesian linear regression, updated row by row: ridge regression without refitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State

INTERCEPT_VARIANCE = 100.0


class BayesianLinear:
    """Linear regression with a Gaussian prior on the weights, by recursive least squares.

    After n rows the weights equal those of ridge regression on the n rows, with the penalty
    `1 / variance` on each weight (Bishop 2006, section 3.3); the intercept is hardly penalised.

    Args:
        width: `k`, the length of a row.
        variance: prior variance of a weight, in units of the noise variance.
    """

    def __init__(self, width: int, *, variance: float = 1.0) -> None:
        self._weights = np.zeros(width + 1)
        self._covariance = np.diag([*[variance] * width, INTERCEPT_VARIANCE])

    def predict(self, rows: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""
        predicted: Array = rows @ self._weights[:-1] + self._weights[-1]
        return predicted

    def learn(self, row: Array, target: float) -> None:
        """Learn a `(k,)` row."""
        x = np.append(row, 1.0)
        gain = self._covariance @ x
        error = target - float(x @ self._weights)
        scale = 1.0 / (1.0 + float(x @ gain))
        self._weights += (scale * error) * gain
        self._covariance -= np.outer(scale * gain, gain)

    def state(self) -> State:
        """Return the full state as arrays."""
        return {"weights": self._weights.copy(), "covariance": self._covariance.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BayesianLinear:
        """Restore a regression from its `state()`."""
        model = cls.__new__(cls)
        model._weights = np.array(state["weights"])
        model._covariance = np.array(state["covariance"])
        return model
