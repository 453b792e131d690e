"""Hierarchical linear regression: each task has its own weights around shared ones.

`y = phi(x) (mu + w_task) + noise`, `w_task ~ N(0, Sigma)`. `Sigma`, which describes how tasks
differ, is learned from earlier tasks (EM for the linear mixed model, Laird and Ware 1982). So the
model adapts to a new task from few runs, mainly in the weights that vary between tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.layout import Array, Layout, State, part
from nasoa.online.mixture.protocol import UNKNOWN
from nasoa.online.mixture.with_history import HistoryPredictor

ITERATIONS = 10
MOST_TASKS = 64
PRIOR_TASKS = 5.0
LEAST_ROWS = 8
# The features of a block fit into the L2 cache of a processor.
ROWS_AT_ONCE = 512


class Moments:
    """Sufficient statistics of a task: `phi^T phi`, `phi^T y`, `y^T y` and the number of runs."""

    def __init__(self, width: int) -> None:
        self.gram = np.zeros((width, width))
        self.cross = np.zeros(width)
        self.square = 0.0
        self.count = 0

    def add(self, features: Array, targets: Array) -> None:
        """Add `(n, k)` features and `(n,)` targets."""
        self.gram += features.T @ features
        self.cross += features.T @ targets
        self.square += float(targets @ targets)
        self.count += len(targets)


class MixedModel:
    """`mu`, `Sigma` and the noise variance, fitted to the moments of tasks.

    The prior of `Sigma` has the weight of five tasks whose levels vary by about half of the
    targets' variance, and whose other weights vary little.
    """

    def __init__(self, tasks: list[Moments], variance: float) -> None:
        width = len(tasks[0].cross)
        prior = np.full(width, 0.02 * variance)
        prior[0] = 0.5 * variance
        self.noise = 0.1 * variance
        self.shared: Array = np.zeros(width)
        between: Array = np.diag(prior)
        count = sum(task.count for task in tasks)
        for _ in range(ITERATIONS):
            self.precision = _inverse(between)
            spreads = [_inverse(self.precision + t.gram / self.noise) for t in tasks]
            pull = self.precision @ self.shared
            weights = np.array(
                [s @ (pull + t.cross / self.noise) for s, t in zip(spreads, tasks, strict=True)]
            )
            self.shared = np.asarray(
                np.linalg.solve(
                    len(tasks) * self.precision + np.eye(width) / variance,
                    self.precision @ weights.sum(axis=0),
                ),
                np.float64,
            )
            away = weights - self.shared
            scatter = np.sum(spreads, axis=0) + away.T @ away
            between = (PRIOR_TASKS * np.diag(prior) + scatter) / (PRIOR_TASKS + len(tasks))
            left = sum(
                task.square - 2.0 * w @ task.cross + w @ task.gram @ w + np.vdot(spread, task.gram)
                for task, w, spread in zip(tasks, weights, spreads, strict=True)
            )
            self.noise = max(float(left) / count, 1e-4 * variance)
        self.precision = _inverse(between)

    def posterior(self, task: Moments) -> Posterior:
        """Return the posterior of `mu + w_task` given the runs of a task."""
        spread = _inverse(self.precision + task.gram / self.noise)
        return Posterior(spread @ (self.precision @ self.shared + task.cross / self.noise), spread)

    def state(self) -> State:
        """Return the full state as arrays."""
        return {
            "noise": np.array(self.noise),
            "shared": self.shared,
            "precision": self.precision,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> MixedModel:
        """Restore a model from its `state()`."""
        model = cls.__new__(cls)
        model.noise = float(state["noise"])
        model.shared, model.precision = np.array(state["shared"]), np.array(state["precision"])
        return model


class Posterior:
    """Mean `(k,)` and covariance `(k, k)` of a task's weights."""

    def __init__(self, mean: Array, spread: Array) -> None:
        self.mean = mean
        self._spread = spread

    def learn(self, features: Array, target: float, noise: float) -> None:
        """Condition on one more run, `(k,)`, by recursive least squares."""
        gain = self._spread @ features
        scale = 1.0 / (noise + float(features @ gain))
        self.mean = self.mean + scale * (target - float(features @ self.mean)) * gain
        self._spread -= np.outer(scale * gain, gain)


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


class HierarchicalPredictor(HistoryPredictor):
    """The mixed model on numbers, their squares, and all categories except the group.

    `mu` and `Sigma` are refitted on the latest 64 tasks after 25 % or 1,024 more rows. In between,
    the weights of a task are updated by each of its runs.

    Args:
        layout: layout of the rows.
        seed: not used, since the model is deterministic.
        history: see `HistoryPredictor`.
    """

    SCHEDULE = RefitSchedule(growth=0.25, at_least=4, at_most=1024)
    # Rows counted in the last fit must still be in the history when the next fit is due.
    WINDOW = HistoryPredictor.CAPACITY - SCHEDULE.at_most

    def __init__(self, layout: Layout, *, seed: int = 0, history: History | None = None) -> None:
        super().__init__(layout, seed=seed, history=history)
        self._fitted_at = 0
        self._model: MixedModel | None = None
        self._encode(self._history.rows)

    def _encode(self, rows: Array) -> None:
        kept = [i for i in self.layout.categories if i != self.layout.group]
        self._encoding = Encoding(self.layout, rows, kept)
        self._tasks: dict[float, Moments] = {}
        self._posteriors: dict[float, Posterior] = {}
        self._level = UNKNOWN

    def _features(self, rows: Array) -> Array:
        columns = self._encoding.encode(rows)
        squares = columns[:, : self._encoding.num_numbers] ** 2
        return np.concatenate([np.ones((len(rows), 1)), columns, squares], axis=1)

    def _groups(self, rows: Array) -> Array:
        if self.layout.group is None:
            return np.zeros(len(rows))
        groups = rows[:, self.layout.group]
        return np.where(np.isnan(groups), -1.0, groups)

    def _predict(self, rows: Array) -> Array:
        if self._model is None:
            known = self._history.targets
            return np.full(len(rows), known.mean() if len(known) else UNKNOWN)
        starts = range(0, len(rows), ROWS_AT_ONCE)
        blocks = [self._block(self._model, rows[s : s + ROWS_AT_ONCE]) for s in starts]
        return np.concatenate(blocks) + self._level

    def _block(self, model: MixedModel, rows: Array) -> Array:
        features, groups = self._features(rows), self._groups(rows)
        if (groups == groups[0]).all():
            return features @ self._task_weights(model, float(groups[0]))
        predicted = np.empty(len(rows))
        for group in np.unique(groups).tolist():
            indices = groups == group
            predicted[indices] = features[indices] @ self._task_weights(model, group)
        return predicted

    def _task_weights(self, model: MixedModel, group: float) -> Array:
        if group not in self._tasks:
            return model.shared
        if group not in self._posteriors:
            self._posteriors[group] = model.posterior(self._tasks[group])
        return self._posteriors[group].mean

    def _learn_latest(self, row: Array, target: float) -> None:
        count = self._history.count
        if count < LEAST_ROWS:
            return
        if self._model is None or self.SCHEDULE.is_due(count, self._fitted_at):
            self._refit()
            return
        self._count(row[None, :], np.array([target]))
        group = float(self._groups(row[None, :])[0])
        if group in self._posteriors:
            features = self._features(row[None, :])[0]
            self._posteriors[group].learn(features, target - self._level, self._model.noise)

    def _count(self, rows: Array, targets: Array) -> None:
        """Add rows to the moments of their tasks."""
        features, groups = self._features(rows), self._groups(rows)
        for group in np.unique(groups).tolist():
            indices = groups == group
            task = self._tasks.setdefault(group, Moments(features.shape[1]))
            task.add(features[indices], targets[indices] - self._level)

    def _refit(self) -> None:
        rows, targets = self._history.latest(self.WINDOW)
        self._encode(rows)
        self._level = float(targets.mean())
        self._count(rows, targets)
        _, ages = np.unique(self._groups(rows)[::-1], return_index=True)
        latest = np.unique(self._groups(rows))[np.argsort(ages, kind="stable")[:MOST_TASKS]]
        variance = max(float(targets.var()), 1e-6)
        self._model = MixedModel([self._tasks[group] for group in latest.tolist()], variance)
        self._fitted_at = self._history.count

    def _parts(self) -> dict[str, State]:
        """Return the states of all parts; the moments of tasks are recomputed from the history."""
        own = np.array([self.seed, self._fitted_at, self._level], dtype=np.float64)
        fitted = {} if self._model is None else self._model.state()
        return {"encoding": self._encoding.state(), "own": {"kept": own}, "model": fitted}

    @classmethod
    def _made(cls, layout: Layout, history: History, state: Mapping[str, NDArray[Any]]) -> Self:
        seed, fitted_at, level = state["own.kept"].tolist()
        model = cls(layout, seed=int(seed), history=history)
        model._encoding = Encoding.from_state(part(state, "encoding"))
        model._fitted_at, model._level = int(fitted_at), level
        fitted = part(state, "model")
        if fitted:
            model._model = MixedModel.from_state(fitted)
            since = history.count - model._fitted_at
            model._count(*history.latest(min(model._fitted_at, cls.WINDOW) + since))
        return model
