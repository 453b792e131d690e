"""The Gaussian process as a predictor: selection of runs, and schedule of refits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.gaussian_process import GaussianProcess, TaskProcess
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.kernel import Kernel, Points
from nasoa.online.mixture.kernel_fit import fitted
from nasoa.online.mixture.layout import Array, Layout, State, part
from nasoa.online.mixture.protocol import UNKNOWN
from nasoa.online.mixture.with_history import HistoryPredictor

Numbers = NDArray[np.int64]

BASE_SIZE = 1024
TASK_SIZE = 256
TUNING_SIZE = 400


class ProcessPredictor(HistoryPredictor):
    """A Gaussian process on 1,024 runs of all tasks and the latest 256 of the predicted task.

    The base contains equally many runs of each task, as far as available. The kernel's parameters
    are fitted on 400 runs, and refitted after 70 % more runs.

    Args:
        layout: layout of the rows.
        seed: random seed for the selection of runs.
        history: see `HistoryPredictor`.
    """

    REFIT = RefitSchedule(growth=0.25, at_least=4, at_most=1024)
    TUNE = RefitSchedule(growth=0.7, at_least=8, at_most=4096)
    # The runs of a posterior must still be in the history when the next fit is due.
    WINDOW = HistoryPredictor.CAPACITY - REFIT.at_most

    def __init__(self, layout: Layout, *, seed: int = 0, history: History | None = None) -> None:
        super().__init__(layout, seed=seed, history=history)
        self._encoding = Encoding(layout, self._history.rows, ())
        self._kernel: Kernel | None = None
        self._process: GaussianProcess | None = None
        self._in_base: Numbers = np.empty(0, dtype=np.int64)
        self._tasks: dict[int, TaskProcess] = {}
        self._own: dict[int, list[int]] = {}
        self._fitted_at = 0
        self._tuned_at = 0

    def _groups(self, rows: Array) -> NDArray[np.int64]:
        if self.layout.group is None:
            return np.full(len(rows), -1)
        return _codes(rows[:, self.layout.group])

    def _points(self, rows: Array) -> Points:
        kept = [i for i in self.layout.categories if i != self.layout.group]
        return Points(self._encoding.encode(rows), _codes(rows[:, kept]), self._groups(rows))

    def _predict(self, rows: Array) -> Array:
        if self._process is None:
            return np.full(len(rows), UNKNOWN)
        points = self._points(rows)
        predicted = np.empty(len(rows))
        for group in np.unique(points.groups).tolist():
            indices = np.flatnonzero(points.groups == group)
            task = self._task(self._process, group, self._history.count)
            predicted[indices] = task.predict(points.take(indices))
        return predicted

    def _rows_of(self, numbers: Numbers | list[int]) -> tuple[Points, Array]:
        """Return runs by their numbers, counted from the first run ever appended."""
        indices = np.asarray(numbers, dtype=np.int64) - (self._history.count - len(self._history))
        return self._points(self._history.rows[indices]), self._history.targets[indices]

    def _task(self, process: GaussianProcess, group: int, before: int) -> TaskProcess:
        """Return the posterior for a task, computed on first use after a fit."""
        known = self._tasks.get(group)
        if known is None:
            if group not in self._own:
                self._own[group] = self._latest_own(group, before)
            known = TaskProcess(process, *self._rows_of(self._own[group]))
            self._tasks[group] = known
        return known

    def _latest_own(self, group: int, before: int) -> list[int]:
        """Return numbers of the task's latest runs before run `before` that are not in the base."""
        # The start depends only on the last fit, so the result is the same however far the history
        # has moved on since.
        first = max(0, self._fitted_at - self.WINDOW)
        rows = self._history.latest(self._history.count - first)[0][: before - first]
        numbers = first + np.flatnonzero(self._groups(rows) == group)
        # Leaves room for the same number of new runs before the oldest are dropped.
        found: list[int] = np.setdiff1d(numbers, self._in_base)[-TASK_SIZE // 2 :].tolist()
        return found

    def _learn_latest(self, row: Array, target: float) -> None:
        count = self._history.count
        if self._process is None or self.REFIT.is_due(count, self._fitted_at):
            self._refit()
            return
        group = int(self._groups(row[None, :])[0])
        task = self._task(self._process, group, count - 1)
        if len(task) < TASK_SIZE:
            task.learn(self._points(row[None, :]), target)
            self._own[group].append(count - 1)
        else:
            del self._tasks[group], self._own[group]

    def _refit(self) -> None:
        count = self._history.count
        rows, _ = self._history.latest(self.WINDOW)
        rng = np.random.default_rng([self.seed, count])
        chosen = _balanced(self._groups(rows), BASE_SIZE, rng)
        if self._kernel is None or self.TUNE.is_due(count, self._tuned_at):
            self._kernel = self._tuned(rng)
            self._tuned_at = count
        self._in_base = chosen + count - len(rows)
        self._rest_on_base(self._kernel)
        self._own = {}
        self._fitted_at = count

    def _rest_on_base(self, kernel: Kernel) -> None:
        self._process = GaussianProcess(kernel, *self._rows_of(self._in_base))
        self._tasks = {}

    def _tuned(self, rng: np.random.Generator) -> Kernel:
        rows, targets = self._history.latest(self.WINDOW)
        self._encoding = Encoding(self.layout, rows, ())
        points = self._points(rows)
        within = _within(points)
        is_like_before = self._kernel is not None and np.array_equal(self._kernel.within, within)
        start = self._kernel if self._kernel is not None and is_like_before else Kernel(within)
        chosen = _balanced(points.groups, TUNING_SIZE, rng)
        deviation = float(targets.std()) or 1.0
        return fitted(start, points.take(chosen), (targets[chosen] - targets.mean()) / deviation)

    def _parts(self) -> dict[str, State]:
        """Return the states of all parts; posteriors are recomputed from their runs' numbers."""
        own = {
            "kept": np.array([self.seed, self._fitted_at, self._tuned_at]),
            "in_base": self._in_base,
            "groups": np.array(list(self._own), dtype=np.int64),
            "sizes": np.array([len(numbers) for numbers in self._own.values()], dtype=np.int64),
            "numbers": np.array(
                [number for numbers in self._own.values() for number in numbers], dtype=np.int64
            ),
        }
        kernel: State = {}
        if self._kernel is not None:
            kernel = {"theta": self._kernel.theta, "within": self._kernel.within}
        return {"encoding": self._encoding.state(), "own": own, "kernel": kernel}

    @classmethod
    def _made(cls, layout: Layout, history: History, state: Mapping[str, NDArray[Any]]) -> Self:
        own, kernel = part(state, "own"), part(state, "kernel")
        seed, fitted_at, tuned_at = (int(number) for number in own["kept"])
        model = cls(layout, seed=seed, history=history)
        model._encoding = Encoding.from_state(part(state, "encoding"))
        model._fitted_at, model._tuned_at = fitted_at, tuned_at
        if kernel:
            model._kernel = Kernel(np.array(kernel["within"]), np.array(kernel["theta"]))
            model._in_base = np.array(own["in_base"])
            model._rest_on_base(model._kernel)
            numbers = iter(own["numbers"].tolist())
            sizes = zip(own["groups"].tolist(), own["sizes"].tolist(), strict=True)
            model._own = {group: list(islice(numbers, size)) for group, size in sizes}
        return model


def _codes(columns: Array) -> NDArray[np.int64]:
    """Return integer codes, -1 where missing."""
    return np.where(np.isnan(columns), -1.0, columns).astype(np.int64)


def _balanced(groups: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sample up to `size` ascending indices, balanced over groups as far as possible."""
    shuffled = rng.permutation(len(groups))
    order = shuffled[np.argsort(groups[shuffled], kind="stable")]
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rank = np.arange(len(groups)) - np.repeat(starts, counts)
    return np.sort(order[np.argsort(rank, kind="stable")[:size]])


def _within(points: Points) -> NDArray[np.bool_]:
    """Return which numbers and codes vary within a task; all if none varies within any task."""
    columns = np.concatenate([points.numbers, points.codes], axis=1)
    order = np.argsort(points.groups, kind="stable")
    groups, columns = points.groups[order], columns[order]
    follows = (groups[1:] == groups[:-1]) & (groups[1:] >= 0)
    within = (columns[1:][follows] != columns[:-1][follows]).any(axis=0)
    return np.asarray(within) if within.any() else np.ones(columns.shape[1], dtype=np.bool_)
