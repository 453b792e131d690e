"""A plain Gaussian process on few rows: a baseline."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from nasoa.online.predictors.encoding import Encoding
from nasoa.online.predictors.history import Schedule
from nasoa.online.predictors.layout import Array
from nasoa.online.predictors.refitted import RefittedPredictor

TUNING_ROWS = 150


class PlainProcess:
    """scikit-learn's Gaussian process; one length scale, fitted on the latest 150 rows."""

    def __init__(self, columns: Array, targets: Array) -> None:
        self._mean = float(targets.mean())
        width = float(np.sqrt(columns.shape[1]))
        kernel = ConstantKernel(0.05, (1e-4, 1e2)) * RBF(width, (1e-1, 1e3)) + WhiteKernel(
            0.005, (1e-6, 1.0)
        )
        tuned = self._fitted(
            GaussianProcessRegressor(kernel),
            columns[-TUNING_ROWS:],
            targets[-TUNING_ROWS:] - self._mean,
        )
        self._model = self._fitted(
            GaussianProcessRegressor(tuned.kernel_, optimizer=None), columns, targets - self._mean
        )

    @staticmethod
    def _fitted(model: Any, columns: Array, targets: Array) -> Any:
        with warnings.catch_warnings():
            # A parameter at its bound, as of constant targets, is as good as any.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(columns, targets)

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        return np.asarray(self._model.predict(columns)) + self._mean


class PlainProcessPredictor(RefittedPredictor):
    """A Gaussian process with squared exponential kernel on the latest 400 encoded rows."""

    SCHEDULE = Schedule(growth=0.15, at_least=8, at_most=40)
    WINDOW = 400

    def _columns(self, rows: Array) -> Array:
        return self._encoding.encode(rows)

    def _fit(self, rows: Array, targets: Array, seed: int) -> PlainProcess:
        self._encoding = Encoding(self.layout, rows)
        columns = self._encoding.encode(rows)
        return PlainProcess(columns, targets)
