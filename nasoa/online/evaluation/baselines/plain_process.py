"""A plain Gaussian process on few rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from nasoa.online.evaluation.baselines.refitted import OnEncoded, RefittedPredictor
from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.history import RefitSchedule
from nasoa.online.mixture.layout import Array, State

TUNING_ROWS = 150


class PlainProcess:
    """scikit-learn's Gaussian process with a single length scale.

    Args:
        columns: `(n, k)` finite numbers, n > 0.
        targets: `(n,)` targets.
        theta: logarithms of the kernel's parameters; by default fitted on the latest 150 rows.
    """

    def __init__(self, columns: Array, targets: Array, theta: Array | None = None) -> None:
        self._columns, self._targets = columns, targets
        self._mean = float(targets.mean())
        width = float(np.sqrt(columns.shape[1]))
        kernel = ConstantKernel(0.05, (1e-4, 1e2)) * RBF(width, (1e-1, 1e3)) + WhiteKernel(
            0.005, (1e-6, 1.0)
        )
        centred = targets - self._mean
        if theta is None:
            tuned = GaussianProcessRegressor(kernel)
            latest = slice(-TUNING_ROWS, None)
            theta = self._fitted(tuned, columns[latest], centred[latest]).kernel_.theta
        self._theta = np.asarray(theta)
        fixed = GaussianProcessRegressor(kernel.clone_with_theta(self._theta), optimizer=None)
        self._model = self._fitted(fixed, columns, centred)

    @staticmethod
    def _fitted(model: Any, columns: Array, targets: Array) -> Any:
        with warnings.catch_warnings():
            # A parameter at its bound, for example with constant targets, does no harm.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(columns, targets)

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""
        return np.asarray(self._model.predict(columns)) + self._mean

    def state(self) -> State:
        """Return the full state as arrays."""
        return {"columns": self._columns, "targets": self._targets, "theta": self._theta}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> PlainProcess:
        """Restore a process from its `state()`."""
        columns, targets, theta = (np.array(state[n]) for n in ("columns", "targets", "theta"))
        return cls(columns, targets, theta)


class PlainProcessPredictor(RefittedPredictor):
    """A Gaussian process with a squared exponential kernel on the latest 400 encoded rows."""

    SCHEDULE = RefitSchedule(growth=0.15, at_least=8, at_most=40)
    CAPACITY = 400

    def _fit(self, rows: Array, targets: Array, seed: int) -> OnEncoded:
        encoding = Encoding(self.layout, rows)
        return OnEncoded(encoding, PlainProcess(encoding.encode(rows), targets.copy()))

    def _restored(self, state: State) -> OnEncoded:
        return OnEncoded.from_state(state, PlainProcess.from_state)
