"""The runs that a subsample contains."""

from __future__ import annotations

import numpy as np

from benchmarks.predictor_ablation import some_runs
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.layout import Layout


def test_some_runs_of_every_task_in_their_order() -> None:
    groups = np.repeat([0, 1, 2], [30, 4, 12])
    rows = np.column_stack([np.arange(46.0), groups])
    table = TaskTable(
        Layout(num_columns=2, categories=(1,), group=1),
        rows,
        rows[:, 0] / 46,
        groups,
        np.arange(46),
        0,
    )
    kept = some_runs(table, 10)
    assert np.bincount(kept.groups).tolist() == [10, 4, 10]
    assert (np.diff(kept.rows[:, 0]) > 0).all()
    np.testing.assert_array_equal(kept.targets, kept.rows[:, 0] / 46)
    np.testing.assert_array_equal(kept.groups, kept.rows[:, 1])
    np.testing.assert_array_equal(kept.rows, some_runs(table, 10).rows)
