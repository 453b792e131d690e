"""The Gaussian process as a predictor: which runs it rests on, and when it is fitted again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.encoding import Encoding
from nasoa.online.predictors.gaussian_process import GaussianProcess, TaskProcess
from nasoa.online.predictors.history import History, Schedule
from nasoa.online.predictors.kernel import Kernel, Points
from nasoa.online.predictors.layout import Array, Layout, State, join, part
from nasoa.online.predictors.protocol import UNKNOWN, RowPredictor

BASE_SIZE = 1024
TASK_SIZE = 256
TUNING_SIZE = 400


class ProcessPredictor(RowPredictor):
    """A Gaussian process on 1,024 runs of all tasks and the latest 256 of the task at hand.

    The base takes as many runs of each task, as far as there are. Its parameters are fitted on 400
    runs, again when there are 70 % more.

    Args:
        layout: of the rows.
        seed: of the choice of runs.
    """

    REFIT = Schedule(growth=0.25, at_least=4, at_most=512)
    TUNE = Schedule(growth=0.7, at_least=8, at_most=4096)

    def __init__(self, layout: Layout, *, seed: int = 0) -> None:
        super().__init__(layout)
        self.seed = seed
        self._history = History(layout.num_columns)
        self._encoding = Encoding(layout, self._history.rows, ())
        self._kernel: Kernel | None = None
        self._process: GaussianProcess | None = None
        self._in_base: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._tasks: dict[int, TaskProcess] = {}
        self._fitted_at = 0
        self._tuned_at = 0

    def _groups(self, rows: Array) -> NDArray[np.int64]:
        if self.layout.group is None:
            return np.full(len(rows), -1)
        return np.nan_to_num(rows[:, self.layout.group], nan=-1.0).astype(np.int64)

    def _points(self, rows: Array) -> Points:
        kept = [i for i in self.layout.categories if i != self.layout.group]
        codes = np.nan_to_num(rows[:, kept], nan=-1.0).astype(np.int64)
        return Points(self._encoding.encode(rows), codes, self._groups(rows))

    def _predict(self, rows: Array) -> Array:
        if self._process is None:
            return np.full(len(rows), UNKNOWN)
        points = self._points(rows)
        predicted = np.empty(len(rows))
        for group in np.unique(points.groups).tolist():
            places = np.flatnonzero(points.groups == group)
            predicted[places] = self._task(group).predict(points.take(places))
        return predicted

    def _task(self, group: int) -> TaskProcess:
        """The posterior for a task, made when it is first asked for after a fit."""
        if self._process is None:
            raise AssertionError("a task's process rests on a base")
        known = self._tasks.get(group)
        if known is None:
            rows = self._history.rows
            numbers = np.arange(self._history.count - len(rows), self._history.count)
            is_own = (self._groups(rows) == group) & ~np.isin(numbers, self._in_base)
            # Room for as many again before the oldest go.
            places = np.flatnonzero(is_own)[-TASK_SIZE // 2 :]
            targets = self._history.targets[places]
            known = TaskProcess(self._process, self._points(rows[places]), targets)
            self._tasks[group] = known
        return known

    def _learn(self, row: Array, target: float) -> None:
        group = int(self._groups(row[None, :])[0])
        # Before the row is in the history, of which a new task process is made.
        task = None if self._process is None else self._task(group)
        self._history.append(row, target)
        if task is None or self.REFIT.is_due(self._history.count, self._fitted_at):
            self._refit()
        elif len(task) < TASK_SIZE:
            task.learn(self._points(row[None, :]), target)
        else:
            del self._tasks[group]

    def _refit(self) -> None:
        count, rows = self._history.count, self._history.rows
        rng = np.random.default_rng([self.seed, count])
        chosen = _balanced(self._groups(rows), BASE_SIZE, rng)
        if self._kernel is None or self.TUNE.is_due(count, self._tuned_at):
            self._kernel = self._tuned(rng)
            self._tuned_at = count
        self._rest_on(self._kernel, chosen + count - len(rows))
        self._fitted_at = count

    def _rest_on(self, kernel: Kernel, numbers: NDArray[np.int64]) -> None:
        """Make the runs of these numbers, counted from the first that ever came, the base."""
        places = numbers - (self._history.count - len(self._history))
        points = self._points(self._history.rows[places])
        self._process = GaussianProcess(kernel, points, self._history.targets[places])
        self._in_base = numbers
        self._tasks = {}

    def _tuned(self, rng: np.random.Generator) -> Kernel:
        rows, targets = self._history.rows, self._history.targets
        self._encoding = Encoding(self.layout, rows, ())
        points = self._points(rows)
        kernel = Kernel(_within(points))
        if self._kernel is not None and np.array_equal(self._kernel.within, kernel.within):
            kernel.theta = self._kernel.theta.copy()
        chosen = _balanced(points.groups, TUNING_SIZE, rng)
        deviation = float(targets.std()) or 1.0
        kernel.fit(points.take(chosen), (targets[chosen] - targets.mean()) / deviation)
        return kernel

    def state(self) -> State:
        """Everything there is to keep, as arrays; the posteriors are computed from it again.

        The base's rows must still be in the history, so the history is larger than what can come
        between two fits.
        """
        parts = {
            "layout": self.layout.state(),
            "history": self._history.state(),
            "encoding": self._encoding.state(),
        }
        if self._kernel is not None:
            parts["kernel"] = {"theta": self._kernel.theta, "within": self._kernel.within}
        own = np.array([self.seed, self._fitted_at, self._tuned_at])
        return {**join(parts), "own": own, "in_base": self._in_base}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on, but for rounding in the last digits."""
        seed, fitted_at, tuned_at = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), seed=seed)
        model._history = History.from_state(part(state, "history"))
        model._encoding = Encoding.from_state(part(state, "encoding"))
        kernel = part(state, "kernel")
        if kernel:
            model._kernel = Kernel(np.array(kernel["within"]))
            model._kernel.theta = np.array(kernel["theta"])
            model._rest_on(model._kernel, np.array(state["in_base"]))
        model._fitted_at, model._tuned_at = fitted_at, tuned_at
        return model


def _balanced(groups: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Up to `size` places, ascending, by chance but as many of each group as there are."""
    shuffled = rng.permutation(len(groups))
    order = shuffled[np.argsort(groups[shuffled], kind="stable")]
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rank = np.arange(len(groups)) - np.repeat(starts, counts)
    return np.sort(order[np.argsort(rank, kind="stable")[:size]])


def _within(points: Points) -> NDArray[np.bool_]:
    """Which numbers and codes differ within a task; all, if no task has two runs or none does."""
    columns = np.concatenate([points.numbers, points.codes], axis=1)
    order = np.argsort(points.groups, kind="stable")
    groups, columns = points.groups[order], columns[order]
    follows = (groups[1:] == groups[:-1]) & (groups[1:] >= 0)
    within = (columns[1:][follows] != columns[:-1][follows]).any(axis=0)
    return np.asarray(within) if within.any() else np.ones(columns.shape[1], dtype=np.bool_)
