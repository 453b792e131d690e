"""Adapter from batch models, refitted from time to time, to the protocol of predictors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.protocol import UNKNOWN
from nasoa.online.mixture.with_history import HistoryPredictor

LEAST_ROWS = 10


class FittedModel(Protocol):
    """A fitted model that `RefittedPredictor` wraps."""

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""

    def state(self) -> State:
        """Return the full state as arrays."""


class OnEncoded:
    """A model on encoded rows, together with the encoding."""

    def __init__(self, encoding: Encoding, model: FittedModel) -> None:
        self._encoding = encoding
        self._model = model

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, d)` rows, which are encoded here."""
        return self._model.predict(self._encoding.encode(columns))

    def state(self) -> State:
        """Return the full state as arrays."""
        return join({"encoding": self._encoding.state(), "model": self._model.state()})

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], restored: Callable[[State], FittedModel]
    ) -> OnEncoded:
        """Restore an object from its `state()`; `restored` restores the model from its own."""
        return cls(Encoding.from_state(part(state, "encoding")), restored(part(state, "model")))


class RefittedPredictor(HistoryPredictor):
    """A model fitted to the latest 7,680 rows, and refitted after 30 % or 2,500 more.

    Its state contains the fitted model, so loading does not refit it.
    """

    SCHEDULE = RefitSchedule(growth=0.3, at_least=12, at_most=2500)
    CAPACITY = 7680

    def __init__(self, layout: Layout, *, seed: int = 0, history: History | None = None) -> None:
        super().__init__(layout, seed=seed, history=history)
        self._model: FittedModel | None = None
        self._fitted_at = 0

    @abstractmethod
    def _fit(self, rows: Array, targets: Array, seed: int) -> FittedModel:
        """Fit a model to `(n, d)` rows and `(n,)` targets."""

    @abstractmethod
    def _restored(self, state: State) -> FittedModel:
        """Restore a model from its `state()`."""

    def _predict(self, rows: Array) -> Array:
        if self._model is not None:
            return self._model.predict(rows)
        known = self._history.targets
        return np.full(len(rows), known.mean() if len(known) else UNKNOWN)

    def _learn_latest(self, row: Array, target: float) -> None:
        count = self._history.count
        if count < LEAST_ROWS or not self.SCHEDULE.is_due(count, self._fitted_at):
            return
        self._fitted_at = count
        rows, targets = self._history.latest(self.CAPACITY)
        # The seed depends only on the count, so a saved predictor needs no generator state.
        seed = int(np.random.default_rng([self.seed, count]).integers(2**31))
        self._model = self._fit(rows, targets, seed)

    def _parts(self) -> dict[str, State]:
        own = {"kept": np.array([self.seed, self._fitted_at])}
        return {"own": own, "model": {} if self._model is None else self._model.state()}

    @classmethod
    def _made(cls, layout: Layout, history: History, state: Mapping[str, NDArray[Any]]) -> Self:
        seed, fitted_at = (int(number) for number in state["own.kept"])
        model = cls(layout, seed=seed, history=history)
        model._fitted_at = fitted_at
        if fitted_at:
            model._model = model._restored(part(state, "model"))
        return model
