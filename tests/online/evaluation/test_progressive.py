"""Orders of progressive evaluation, and the rows learned before each prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nasoa.online.evaluation.progressive import ORDERS, error_of, ordering
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Layout


@pytest.fixture
def table() -> TaskTable:
    """Return three tasks of eight rows, which are evaluations of one to four trainings."""
    runs = np.array([0, 0, 0, 0, 1, 1, 2, 3, *[4] * 8, 5, 6, 5, 6, 5, 6, 7, 7])
    groups = np.repeat([0, 1, 2], 8)
    rows = np.column_stack([groups, np.arange(24.0)])
    layout = Layout(num_columns=2, categories=(0,), group=0)
    return TaskTable(layout, rows, np.linspace(0.1, 0.9, 24), groups, runs, num_duplicates=0)


class Witness:
    """Records which rows were learned before each was predicted."""

    def __init__(self) -> None:
        self.known: list[int] = []
        self.asked: dict[int, set[int]] = {}

    def predict(self, places: Any) -> np.ndarray:
        for place in places.tolist():
            self.asked[place] = set(self.known)
        return np.full(len(places), 0.5)

    def bounds(self, places: Any) -> None:
        pass

    def learn(self, places: Any) -> None:
        self.known += places.tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_looks_at_one_training_stay_together(table: TaskTable, order: str) -> None:
    places = ordering(table, order, seed=3)
    assert sorted(places) == list(range(24))
    runs = table.runs[places]
    assert np.count_nonzero(np.diff(runs)) == len(np.unique(runs)) - 1
    assert not np.array_equal(places, ordering(table, order, seed=4))
    if order == "group_by_group":
        assert (np.diff(table.groups[places]) >= 0).all()


@pytest.mark.parametrize("order", ORDERS)
def test_no_row_is_scored_after_another_look_at_its_training(table: TaskTable, order: str) -> None:
    witness: Any = Witness()
    error_of(witness, "witness", table, order, seed=0)
    assert sorted(witness.known) == sorted(witness.asked) == list(range(24))
    for row, known in witness.asked.items():
        assert not {k for k in known if table.runs[k] == table.runs[row]}
    # All earlier rows are learned, so the last training is predicted with all others learned.
    assert max(map(len, witness.asked.values())) >= 24 - 8
