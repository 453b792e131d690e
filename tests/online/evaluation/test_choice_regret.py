"""Regrets compared with values calculated by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from nasoa.online.evaluation.choice_regret import mean_regret
from nasoa.online.evaluation.progressive import ORDERS, evaluate, ordering
from nasoa.online.evaluation.subject import Indifferent, OnAverage
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Layout


@pytest.fixture
def tasks() -> TaskTable:
    """Return three tasks with the same three configurations; the second is best in all."""
    rows = np.array([[c, t] for t in range(3) for c in range(3)], dtype=np.float64)
    targets = np.array([0.1, 0.9, 0.5, 0.2, 0.8, 0.5, 0.0, 1.0, 0.5])
    layout = Layout(num_columns=2, categories=(1,), group=1)
    return TaskTable(layout, rows, targets, rows[:, 1].astype(np.int64), np.arange(len(rows)), 0)


def test_random_choice_has_the_mean_regret(tasks: TaskTable) -> None:
    regret = mean_regret(Indifferent, tasks, feedback=3, draws=2, seed=0)
    assert regret == pytest.approx(np.mean([0.9 - 0.5, 0.8 - 0.5, 1.0 - 0.5]))


def test_best_on_average_knows_after_one_task(tasks: TaskTable) -> None:
    regret = mean_regret(lambda: OnAverage(tasks), tasks, feedback=3, draws=2, seed=0)
    assert regret == pytest.approx((0.4 + 0.0 + 0.0) / 3)


def test_nothing_of_a_task_is_seen_before_the_choice(tasks: TaskTable) -> None:
    """Changing the targets of the last task does not change any prediction."""

    class Watched(OnAverage):
        seen: list[np.ndarray] = []

        def predict(self, places: np.ndarray) -> np.ndarray:
            found = super().predict(places)
            self.seen.append(found)
            return found

    changed = tasks.targets.copy()
    changed[6:] = [1.0, 0.0, 0.0]
    other = TaskTable(tasks.layout, tasks.rows, changed, tasks.groups, tasks.runs, 0)
    for table in (tasks, other):
        mean_regret(partial(Watched, table), table, feedback=3, draws=1, seed=0)
    np.testing.assert_array_equal(Watched.seen[:3], Watched.seen[3:])


def test_orders(tasks: TaskTable) -> None:
    for order in ORDERS:
        assert sorted(ordering(tasks, order, 1).tolist()) == list(range(9))
    assert tasks.groups[ordering(tasks, "group_by_group", 1)].tolist() == [
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
    ]


def test_errors_are_of_predictions_before_learning(tasks: TaskTable) -> None:
    error = evaluate("running_mean", tasks, "group_by_group", seed=0)
    first = tasks.targets[ordering(tasks, "group_by_group", 0)][:2]
    assert error.mae_first_20 == pytest.approx(np.abs(0.5 - first[0]) / 2 + _second(first) / 2)
    assert error.coverage_90 is None
    assert error.mse <= error.mae


def _second(first: np.ndarray) -> float:
    """Return the error of the second row, predicted from the initial 1/2 and the first row."""
    level = (0.5 + first[0]) / 2
    of_task = (first[0] - 0.5) / 3
    return float(np.abs(level + of_task - first[1]))
