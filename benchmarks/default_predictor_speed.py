"""Measure `DefaultPredictor` on a stream of runs: learning, predicting, saving and loading.

A part of `benchmarks.predictor_speed`. Times are CPU times on one thread; each row is predicted and
then learned, including fits.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nasoa.online.mixture.layout import Layout
from nasoa.online.mixture.mixture import DefaultPredictor

NUM_NUMBERS = 35
NUM_MODELS = 12
ROWS_A_TASK = 200
MARKS = (100, 300, 1000, 3000, 5000, 10000)
PREDICTED_AT = 5000
LATEST = 100
LAYOUT = Layout(
    num_columns=NUM_NUMBERS + 2, categories=(NUM_NUMBERS, NUM_NUMBERS + 1), group=NUM_NUMBERS + 1
)

Array = NDArray[np.float64]


def stream(num_rows: int, seed: int) -> tuple[Array, Array]:
    """Return runs of one task after another: a model, 35 numbers (ten of the task) and the task.

    Five numbers span decades, as learning rates do; the optimum of the first depends on the task.
    """
    rng = np.random.default_rng(seed)
    tasks = np.arange(num_rows) // ROWS_A_TASK
    of_task = rng.normal(size=(tasks[-1] + 1, 10))[tasks]
    numbers = np.column_stack([rng.normal(size=(num_rows, NUM_NUMBERS - 10)), of_task])
    models = rng.integers(0, NUM_MODELS, num_rows)
    place = numbers[:, 0] - 0.5 * of_task[:, 0]
    level = 0.7 + 0.08 * of_task[:, 1] + 0.1 * np.sin(models) - 0.05 * place**2
    targets = level + 0.03 * numbers[:, 1] * (models % 2) + 0.01 * rng.normal(size=num_rows)
    numbers[:, :5] = np.exp(numbers[:, :5] - 5.0)
    return np.column_stack([numbers, models, tasks]), np.clip(targets, 0.0, 1.0)


def measure_default(num_rows: int, seed: int) -> dict[str, object]:
    """Measure CPU milliseconds: learning by rows learned, the rest at 5,000 rows and at the end."""
    rows, targets = stream(num_rows, seed)
    predictor = DefaultPredictor(LAYOUT, seed=seed)
    learning: dict[str, dict[str, float]] = {}
    answers: dict[str, float] = {}
    costs: list[float] = []
    errors: list[float] = []
    with threadpool_limits(1):
        for row, target in zip(rows, targets.tolist(), strict=True):
            started = time.process_time()
            errors.append(abs(predictor.predict(row) - target))
            predictor.learn(row, target)
            costs.append(1000.0 * (time.process_time() - started))
            if len(costs) in MARKS or len(costs) == num_rows:
                learning[str(len(costs))] = {
                    "amortised": _rounded(statistics.fmean(costs)),
                    "a_row_without_fits": _rounded(statistics.median(costs[-LATEST:])),
                }
            if len(costs) == min(PREDICTED_AT, num_rows):
                answers = _answers(predictor, rows[: len(costs)], seed)
        state = predictor.state()
        loading = _best(lambda: DefaultPredictor.from_state(state))
    return {
        "unit": "milliseconds of processor time on one thread",
        "columns": LAYOUT.num_columns,
        "predict_and_learn_a_row_after": learning,
        "after_rows": min(PREDICTED_AT, num_rows),
        **answers,
        "state_bytes": sum(array.nbytes for array in state.values()),
        "from_state": loading,
        "mae": _rounded(statistics.fmean(errors)),
    }


def _answers(predictor: DefaultPredictor, rows: Array, seed: int) -> dict[str, float]:
    """Measure predictions of one row, of 1,000 rows of one task and of all tasks."""
    rng = np.random.default_rng(seed)
    some = rows[rng.integers(0, len(rows), 1000)]
    of_one = some.copy()
    of_one[:, -1] = rows[-1, -1]
    ones = iter(range(len(some)))
    return {
        "predict_1": _best(lambda: predictor.predict(some[next(ones)])),
        # Vary the number of rows, so that the answer is not a cached one.
        "predict_1000_of_a_task": _best(lambda: predictor.predict(_other(of_one, rng))),
        "predict_1000_of_all_tasks": _best(lambda: predictor.predict(_other(some, rng))),
    }


def _other(rows: Array, rng: np.random.Generator) -> Array:
    return rows[rng.permutation(len(rows))]


def _best(action: Callable[[], object], repeats: int = 7) -> float:
    """Return the shortest of several times, which is the least disturbed by other processes."""
    action()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(1000.0 * (time.process_time() - started))
    return _rounded(min(times))


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
