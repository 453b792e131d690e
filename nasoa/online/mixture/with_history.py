"""Predictors with a history of the latest rows, their own or a shared one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from numpy.typing import NDArray

from nasoa.online.mixture.history import History
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.protocol import RowPredictor


class HistoryPredictor(RowPredictor):
    """A predictor that is refitted to the latest rows from time to time.

    Args:
        layout: layout of the rows.
        seed: random seed for all random choices.
        history: history shared by several predictors. Its owner appends a row before each of these
            learns it, and saves the history. By default a predictor creates its own.
    """

    CAPACITY = 8192

    def __init__(self, layout: Layout, *, seed: int = 0, history: History | None = None) -> None:
        super().__init__(layout)
        self.seed = seed
        self._is_shared = history is not None
        self._history = History(layout.num_columns, self.CAPACITY) if history is None else history

    def _learn(self, row: Array, target: float) -> None:
        if not self._is_shared:
            self._history.append(row, target)
        self._learn_latest(row, target)

    @abstractmethod
    def _learn_latest(self, row: Array, target: float) -> None:
        """Learn a `(d,)` row, which is the latest of the history."""

    @abstractmethod
    def _parts(self) -> dict[str, State]:
        """Return the states of all parts except layout and history."""

    def state(self) -> State:
        """Return the full state as arrays, without a shared history."""
        parts = {"layout": self.layout.state(), **self._parts()}
        if not self._is_shared:
            parts["history"] = self._history.state()
        return join(parts)

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], history: History | None = None) -> Self:
        """Restore a predictor from its `state()`; pass `history` if it was shared."""
        own = History.from_state(part(state, "history")) if history is None else history
        model = cls._made(Layout.from_state(part(state, "layout")), own, state)
        model._is_shared = history is not None
        return model

    @classmethod
    @abstractmethod
    def _made(cls, layout: Layout, history: History, state: Mapping[str, NDArray[Any]]) -> Self:
        """Create a predictor from its state on the given history."""
