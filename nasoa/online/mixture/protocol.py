"""The interface of predictors for the target of a table, with shared validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.layout import Array, Layout, State

UNKNOWN = 0.5


class RowPredictor(ABC):
    """Base class that validates rows and targets, so that subclasses receive only valid ones.

    A row may contain NaN for missing values, and codes not seen before.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def predict(self, x: ArrayLike) -> Any:
        """Predict targets in [0, 1]: `(d,)` -> float, `(n, d)` -> `(n,)`.

        Raises:
            InvalidInput: `x` has another shape, or an infinite value.
        """
        rows, single = self._rows(x)
        if len(rows) == 0:
            return np.empty(0)
        predicted = np.clip(self._predict(rows), 0.0, 1.0)
        return float(predicted[0]) if single else predicted

    def learn(self, x: ArrayLike, y: ArrayLike) -> None:
        """Learn one row, `(d,)` and a number, or `n` in order, `(n, d)` and `(n,)`.

        Raises:
            InvalidInput: shapes do not match, a row has an infinite value, or a target is not in
                [0, 1]; nothing is learned then.
        """
        rows, single = self._rows(x)
        targets = np.asarray(y, dtype=np.float64)
        shape = () if single else (len(rows),)
        if targets.shape != shape:
            raise InvalidInput(
                f"Expected y to be an array with shape {shape} but it had shape {targets.shape}"
            )
        if not ((targets >= 0.0) & (targets <= 1.0)).all():
            raise InvalidInput("Expected y to be in [0, 1] but it has other values")
        for row, target in zip(rows, targets.reshape(-1).tolist(), strict=True):
            self._learn(row, target)

    def _rows(self, x: ArrayLike) -> tuple[Array, bool]:
        rows = np.asarray(x, dtype=np.float64)
        width = self.layout.num_columns
        if rows.ndim not in (1, 2) or rows.shape[-1] != width:
            raise InvalidInput(
                f"Expected x to be an array with shape ({width},) or (n, {width}) but it had "
                f"shape {rows.shape}"
            )
        if np.isinf(rows).any():
            raise InvalidInput("Expected x to have no infinite values but it has some")
        return np.atleast_2d(rows), rows.ndim == 1

    @abstractmethod
    def _predict(self, rows: Array) -> Array:
        """Return predictions for `(n, d)` rows, n > 0; the caller clips them to [0, 1]."""

    @abstractmethod
    def _learn(self, row: Array, target: float) -> None:
        """Learn a `(d,)` row."""

    @abstractmethod
    def state(self) -> State:
        """Return the full state as arrays, from which `from_state` restores the same predictor."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restore a predictor from its `state()`."""
