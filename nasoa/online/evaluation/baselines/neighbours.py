"""Nearest-neighbour regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.protocol import UNKNOWN, RowPredictor

ROWS_AT_ONCE = 256


class NeighboursPredictor(RowPredictor):
    """Mean of the 8 nearest encoded rows, weighted by inverse distance.

    Args:
        layout: layout of the rows.
        seed: not used, since the predictor is deterministic.
    """

    NEIGHBOURS = 8
    SCHEDULE = RefitSchedule(growth=0.25, at_least=8, at_most=512)

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        self._history = History(layout.num_columns)
        self._encode(0)

    def _encode(self, fitted_at: int) -> None:
        self._encoding = Encoding(self.layout, self._history.rows)
        self._columns = History(self._encoding.width, self._history.capacity)
        targets = self._history.targets.tolist()
        for columns, target in zip(self._encoding.encode(self._history.rows), targets, strict=True):
            self._columns.append(columns, target)
        self._fitted_at = fitted_at

    def _predict(self, rows: Array) -> Array:
        if len(self._history) == 0:
            return np.full(len(rows), UNKNOWN)
        columns = self._encoding.encode(rows)
        starts = range(0, len(rows), ROWS_AT_ONCE)
        return np.concatenate([self._near(columns[s : s + ROWS_AT_ONCE]) for s in starts])

    def _near(self, columns: Array) -> Array:
        known = self._columns.rows
        squares = (columns**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)
        squares = np.maximum(squares - 2.0 * columns @ known.T, 0.0)
        count = min(self.NEIGHBOURS, len(known))
        nearest = np.argpartition(squares, count - 1, axis=1)[:, :count]
        weights = 1.0 / (0.1 + np.sqrt(np.take_along_axis(squares, nearest, axis=1)))
        means: Array = (weights * self._columns.targets[nearest]).sum(axis=1) / weights.sum(axis=1)
        return means

    def _learn(self, row: Array, target: float) -> None:
        self._history.append(row, target)
        count = self._history.count
        if self.SCHEDULE.is_due(count, self._fitted_at) or not self._encoding.admit(row):
            self._encode(count)
        else:
            self._columns.append(self._encoding.encode(row[None, :])[0], target)

    def state(self) -> State:
        """Return the full state as arrays."""
        parts = {
            "layout": self.layout.state(),
            "history": self._history.state(),
            "encoding": self._encoding.state(),
            "columns": self._columns.state(),
        }
        return {**join(parts), "own": np.array([self.seed, self._fitted_at])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restore a predictor from its `state()`."""
        seed, fitted_at = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), seed=seed)
        model._history = History.from_state(part(state, "history"))
        model._encoding = Encoding.from_state(part(state, "encoding"))
        model._columns = History.from_state(part(state, "columns"))
        model._fitted_at = fitted_at
        return model
