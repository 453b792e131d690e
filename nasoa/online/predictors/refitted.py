"""What is fitted to all rows again from time to time, behind the protocol of predictors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.history import History, Schedule
from nasoa.online.predictors.layout import Array, Layout, State, join, part
from nasoa.online.predictors.protocol import UNKNOWN, RowPredictor

LEAST_ROWS = 10


class FittedModel(Protocol):
    """What `RefittedPredictor` fits."""

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""


class RefittedPredictor(RowPredictor):
    """A model fitted to the latest 7,680 rows, again when there are 30 % or 1,000 more.

    Its state is the rows: fitted to the same, by the same seed, a model is the same.
    """

    SCHEDULE = Schedule(growth=0.3, at_least=12, at_most=1000)
    WINDOW = 7680

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        # What the last fit saw is still there when the next is due.
        self._history = History(layout.num_columns, self.WINDOW + self.SCHEDULE.at_most)
        self._model: FittedModel | None = None
        self._fitted_at = 0

    @abstractmethod
    def _fit(self, rows: Array, targets: Array, seed: int) -> FittedModel:
        """A model of `(n, d)` rows and `(n,)` targets."""

    def _columns(self, rows: Array) -> Array:
        """What the model is given for `(n, d)` rows."""
        return rows

    def _predict(self, rows: Array) -> Array:
        if self._model is not None:
            return self._model.predict(self._columns(rows))
        known = self._history.targets
        return np.full(len(rows), known.mean() if len(known) else UNKNOWN)

    def _learn(self, row: Array, target: float) -> None:
        self._history.append(row, target)
        count = self._history.count
        if count >= LEAST_ROWS and self.SCHEDULE.is_due(count, self._fitted_at):
            self._fitted_at = count
            self._refit()

    def _refit(self) -> None:
        """Fit to what had come when `_fitted_at` rows had."""
        end = len(self._history) - (self._history.count - self._fitted_at)
        seen = slice(max(0, end - self.WINDOW), end)
        # Chance depends on the count alone, so that a saved predictor needs no generator.
        seed = int(np.random.default_rng([self.seed, self._fitted_at]).integers(2**31))
        self._model = self._fit(self._history.rows[seen], self._history.targets[seen], seed)

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {"layout": self.layout.state(), "history": self._history.state()}
        return {**join(parts), "own": np.array([self.seed, self._fitted_at])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on."""
        seed, fitted_at = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), seed=seed)
        model._history = History.from_state(part(state, "history"))
        model._fitted_at = fitted_at
        if fitted_at:
            model._refit()
        return model
