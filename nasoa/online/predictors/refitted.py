"""What is fitted to all rows again from time to time, behind the protocol of predictors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.encoding import Encoding
from nasoa.online.predictors.forest import Forest
from nasoa.online.predictors.history import History, Schedule
from nasoa.online.predictors.layout import Array, Layout, State, join, part
from nasoa.online.predictors.protocol import UNKNOWN, RowPredictor

LEAST_ROWS = 8


class FittedModel(Protocol):
    """What `RefittedPredictor` fits."""

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""

    def state(self) -> State:
        """Everything there is to keep, as arrays."""


class RefittedPredictor(RowPredictor):
    """A model fitted to the latest 8,192 rows, again when there are 15 % or 500 more."""

    SCHEDULE = Schedule(growth=0.15, at_least=8, at_most=500)

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        self._history = History(layout.num_columns)
        self._encoding = self._encode()
        self._model: FittedModel | None = None
        self._fitted_at = 0

    def _encode(self) -> Encoding:
        return Encoding(self.layout, self._history.rows)

    @abstractmethod
    def _fit(self, columns: Array, targets: Array, seed: int) -> FittedModel:
        """A model of `(n, k)` columns and `(n,)` targets."""

    @abstractmethod
    def _restored(self, state: State) -> FittedModel:
        """The model that `state()` was called on."""

    def _columns(self, rows: Array) -> Array:
        return self._encoding.encode(rows)

    def _predict(self, rows: Array) -> Array:
        if self._model is not None:
            return self._model.predict(self._columns(rows))
        known = self._history.targets
        return np.full(len(rows), known.mean() if len(known) else UNKNOWN)

    def _learn(self, row: Array, target: float) -> None:
        self._history.append(row, target)
        count = self._history.count
        if count < LEAST_ROWS or not self.SCHEDULE.is_due(count, self._fitted_at):
            return
        self._encoding = self._encode()
        # Chance depends on the count alone, so that a saved predictor needs no generator.
        seed = int(np.random.default_rng([self.seed, count]).integers(2**31))
        self._model = self._fit(
            self._columns(self._history.rows), self._history.targets.copy(), seed
        )
        self._fitted_at = count

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {
            "layout": self.layout.state(),
            "history": self._history.state(),
            "encoding": self._encoding.state(),
        }
        if self._model is not None:
            parts["model"] = self._model.state()
        return {**join(parts), "own": np.array([self.seed, self._fitted_at])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on."""
        seed, fitted_at = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), seed=seed)
        model._history = History.from_state(part(state, "history"))
        model._encoding = Encoding.from_state(part(state, "encoding"))
        fitted = part(state, "model")
        model._model = model._restored(fitted) if fitted else None
        model._fitted_at = fitted_at
        return model


class ExtraTreesPredictor(RefittedPredictor):
    """60 extremely randomised trees (Geurts et al. 2006), fitted by scikit-learn."""

    def _fit(self, columns: Array, targets: Array, seed: int) -> Forest:
        return Forest.averaged(columns, targets, trees=60, least_leaf=2, seed=seed)

    def _restored(self, state: State) -> Forest:
        return Forest.from_state(state)
