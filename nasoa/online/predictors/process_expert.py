"""The Gaussian process as a predictor: which runs it rests on, and when it is fitted again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.encoding import Encoding
from nasoa.online.predictors.gaussian_process import GaussianProcess
from nasoa.online.predictors.history import History, Schedule
from nasoa.online.predictors.kernel import Kernel, Points
from nasoa.online.predictors.layout import Array, Layout, State, join, part
from nasoa.online.predictors.protocol import UNKNOWN, RowPredictor

BASE_SIZE = 1024
TUNING_SIZE = 300


class ProcessPredictor(RowPredictor):
    """A Gaussian process on the latest 1,024 runs, its parameters fitted on 300 of them.

    Args:
        layout: of the rows.
        seed: of the choice of the 300.
    """

    REFIT = Schedule(growth=0.25, at_least=4, at_most=128)
    TUNE = Schedule(growth=0.7, at_least=8, at_most=2048)

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        self._history = History(layout.num_columns, BASE_SIZE)
        self._encoding = Encoding(layout, self._history.rows, ())
        self._process: GaussianProcess | None = None
        self._fitted_at = 0
        self._tuned_at = 0

    def _points(self, rows: Array) -> Points:
        kept = [i for i in self.layout.categories if i != self.layout.group]
        codes = np.nan_to_num(rows[:, kept], nan=-1.0).astype(np.int64)
        if self.layout.group is None:
            groups = np.full(len(rows), -1)
        else:
            groups = np.nan_to_num(rows[:, self.layout.group], nan=-1.0).astype(np.int64)
        return Points(self._encoding.encode(rows), codes, groups)

    def _predict(self, rows: Array) -> Array:
        if self._process is None:
            return np.full(len(rows), UNKNOWN)
        return self._process.predict(self._points(rows))

    def _learn(self, row: Array, target: float) -> None:
        self._history.append(row, target)
        count = self._history.count
        if self._process is None or self.REFIT.is_due(count, self._fitted_at):
            self._refit()
        else:
            self._process.learn(self._points(row[None, :]), target)

    def _refit(self) -> None:
        count = self._history.count
        rows, targets = self._history.rows.copy(), self._history.targets.copy()
        is_tuning = self._process is None or self.TUNE.is_due(count, self._tuned_at)
        if is_tuning:
            self._encoding = Encoding(self.layout, rows, ())
        points = self._points(rows)
        if is_tuning or self._process is None:
            kernel = Kernel(_within(points))
            if self._process is not None and np.array_equal(
                self._process.kernel.within, kernel.within
            ):
                kernel.theta = self._process.kernel.theta.copy()
            rng = np.random.default_rng([self.seed, count])
            chosen = np.sort(rng.permutation(len(points))[:TUNING_SIZE])
            deviation = float(targets.std()) or 1.0
            kernel.fit(points.take(chosen), (targets[chosen] - targets.mean()) / deviation)
            self._tuned_at = count
        else:
            kernel = self._process.kernel
        self._process = GaussianProcess(kernel, points, targets)
        self._fitted_at = count

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {
            "layout": self.layout.state(),
            "history": self._history.state(),
            "encoding": self._encoding.state(),
        }
        if self._process is not None:
            parts["process"] = self._process.state()
        own = np.array([self.seed, self._fitted_at, self._tuned_at])
        return {**join(parts), "own": own}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on."""
        seed, fitted_at, tuned_at = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), seed=seed)
        model._history = History.from_state(part(state, "history"))
        model._encoding = Encoding.from_state(part(state, "encoding"))
        process = part(state, "process")
        model._process = GaussianProcess.from_state(process) if process else None
        model._fitted_at, model._tuned_at = fitted_at, tuned_at
        return model


def _within(points: Points) -> NDArray[np.bool_]:
    """Which numbers and codes differ within a task; all, if no task has two runs or none does."""
    columns = np.concatenate([points.numbers, points.codes], axis=1)
    order = np.argsort(points.groups, kind="stable")
    groups, columns = points.groups[order], columns[order]
    follows = (groups[1:] == groups[:-1]) & (groups[1:] >= 0)
    within = (columns[1:][follows] != columns[:-1][follows]).any(axis=0)
    return np.asarray(within) if within.any() else np.ones(columns.shape[1], dtype=np.bool_)
