"""Adapter from online models on encoded rows to the protocol of predictors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.layout import Array, Layout, State, part
from nasoa.online.mixture.with_history import HistoryPredictor


class OnlineModel(Protocol):
    """An online model that `EncodedPredictor` wraps."""

    def predict(self, x: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""

    def learn(self, x: Array, y: float) -> None:
        """Learn a `(k,)` row."""

    def state(self) -> State:
        """Return the full state as arrays."""


class EncodedPredictor(HistoryPredictor):
    """An online model on encoded rows.

    The encoding is refitted when the rows have grown by half, or when there is no column for a new
    category; a new model then learns all rows of the history in order. So the inputs of a model
    never change their meaning, at about three times the cost of learning each row once.
    """

    SCHEDULE = RefitSchedule(growth=0.5, at_least=8, at_most=4096)

    def __init__(self, layout: Layout, *, seed: int = 0, history: History | None = None) -> None:
        super().__init__(layout, seed=seed, history=history)
        rows = self._history.rows
        self._encoding = Encoding(layout, rows)
        self._model = self._fresh(self._inputs(rows).shape[1])
        self._fitted_at = 0

    @abstractmethod
    def _fresh(self, width: int) -> OnlineModel:
        """Create an untrained model with `width` inputs."""

    @abstractmethod
    def _restored(self, state: State) -> OnlineModel:
        """Restore a model from its `state()`."""

    def _inputs(self, rows: Array) -> Array:
        """Return the `(n, k)` inputs of the model for `(n, d)` rows."""
        return self._encoding.encode(rows)

    def _predict(self, rows: Array) -> Array:
        return self._model.predict(self._inputs(rows))

    def _learn_latest(self, row: Array, target: float) -> None:
        is_due = self.SCHEDULE.is_due(self._history.count, self._fitted_at)
        if is_due or not self._encoding.admit(row):
            self._refit()
        else:
            self._model.learn(self._inputs(row[None, :])[0], target)

    def _refit(self) -> None:
        rows, targets = self._history.rows, self._history.targets
        self._encoding = Encoding(self.layout, rows)
        inputs = self._inputs(rows)
        self._model = self._fresh(inputs.shape[1])
        for columns, target in zip(inputs, targets.tolist(), strict=True):
            self._model.learn(columns, target)
        self._fitted_at = self._history.count

    def _parts(self) -> dict[str, State]:
        return {
            "encoding": self._encoding.state(),
            "model": self._model.state(),
            "own": {"kept": np.array([self.seed, self._fitted_at]), **self._settings()},
        }

    def _settings(self) -> State:
        """Return the arguments of the constructor besides layout, seed and history, as arrays."""
        return {}

    @classmethod
    def _from_settings(cls, layout: Layout, seed: int, history: History, settings: State) -> Self:
        return cls(layout, seed=seed, history=history)

    @classmethod
    def _made(cls, layout: Layout, history: History, state: Mapping[str, NDArray[Any]]) -> Self:
        own = part(state, "own")
        seed, fitted_at = (int(number) for number in own["kept"])
        model = cls._from_settings(layout, seed, history, own)
        model._encoding = Encoding.from_state(part(state, "encoding"))
        model._model = model._restored(part(state, "model"))
        model._fitted_at = fitted_at
        return model
