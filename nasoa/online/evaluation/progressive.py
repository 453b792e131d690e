"""Progressive evaluation: every row is predicted, then learned, in two orders of a table.

This measures the error of an online learner in use (Dawid 1984, "prequential"; Gama et al. 2013):
no row is scored after it, or another intermediate evaluation of the same training, was learned.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from nasoa.online.evaluation.subject import Subject, subject
from nasoa.online.evaluation.task_table import TaskTable

ORDERS = ("random_order", "group_by_group")
SEGMENT = 0.2


@dataclass(frozen=True, kw_only=True)
class ProgressiveError:
    """Errors of a predictor.

    `mae`, `mse`: over all rows; `mae_first_20`, `mae_last_20`: over the first and last fifth;
    `coverage_90`: fraction of rows inside the 90 % interval, None for predictors without intervals;
    `width_90`: mean width of that interval; `ms_per_row`: milliseconds to predict and learn a row.
    """

    name: str
    mae: float
    mse: float
    mae_first_20: float
    mae_last_20: float
    coverage_90: float | None
    width_90: float | None
    ms_per_row: float


def ordering(table: TaskTable, order: str, seed: int) -> NDArray[np.int64]:
    """Return the `(n,)` order of rows: all shuffled, or shuffled within each group in turn.

    Intermediate evaluations of one training stay together.
    """
    shuffled = np.random.default_rng(seed).permutation(len(table.rows))
    _, first = np.unique(table.runs[shuffled], return_index=True)
    indices = np.empty(int(table.runs.max()) + 1, dtype=np.int64)
    indices[table.runs[shuffled[first]]] = first
    shuffled = shuffled[np.argsort(indices[table.runs[shuffled]], kind="stable")]
    if order == "random_order":
        return shuffled
    return shuffled[np.argsort(table.groups[shuffled], kind="stable")]


def trainings(
    table: TaskTable, indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the evaluations of each training: their positions in an `ordering`, and their rows."""
    for _, looks in groupby(enumerate(indices), key=lambda look: table.runs[look[1]]):
        steps, rows = np.array(list(looks)).T
        yield steps, rows


def evaluate(name: str, table: TaskTable, order: str, seed: int) -> ProgressiveError:
    """Return the errors of an untrained predictor by name; `seed` seeds it and the order."""
    return error_of(subject(name, table, seed), name, table, order, seed)


def error_of(
    predictor: Subject, name: str, table: TaskTable, order: str, seed: int
) -> ProgressiveError:
    """Return the errors of predicting, then learning, the rows of a table, training by training."""
    indices = ordering(table, order, seed)
    predicted = np.empty(len(indices))
    bounds = np.full((len(indices), 2), np.nan)
    started = time.perf_counter()
    for steps, training in trainings(table, indices):
        predicted[steps] = predictor.predict(training)
        found = predictor.bounds(training)
        if found is not None:
            bounds[steps] = found
        for index in training:
            predictor.learn(np.array([index]))
    elapsed_s = time.perf_counter() - started
    return _summary(name, predicted, bounds, table.targets[indices], elapsed_s)


def _summary(
    name: str,
    predicted: NDArray[np.float64],
    bounds: NDArray[np.float64],
    targets: NDArray[np.float64],
    elapsed_s: float,
) -> ProgressiveError:
    errors = np.abs(predicted - targets)
    segment = max(1, round(SEGMENT * len(errors)))
    has_bounds = bool(np.isfinite(bounds).all())
    inside = (bounds[:, 0] <= targets) & (targets <= bounds[:, 1])
    return ProgressiveError(
        name=name,
        mae=float(errors.mean()),
        mse=float((errors**2).mean()),
        mae_first_20=float(errors[:segment].mean()),
        mae_last_20=float(errors[-segment:].mean()),
        coverage_90=float(inside.mean()) if has_bounds else None,
        width_90=float((bounds[:, 1] - bounds[:, 0]).mean()) if has_bounds else None,
        ms_per_row=1000.0 * elapsed_s / len(errors),
    )
