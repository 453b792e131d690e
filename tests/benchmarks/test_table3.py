"""The paper's printed figures, and ours over the segments that they refer to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fine_tuning_tables import medquicktune, medquicktune_epochs
from benchmarks.table3 import MODELS, PAPER, in_percent, measure
from nasoa.data.table import read_table
from nasoa.online.evaluation.task_table import TaskTable, task_table
from nasoa.online.mixture.layout import Layout


def test_the_papers_figures(shared: Path) -> None:
    tables = json.loads((shared / "paper" / "tables.json").read_text())
    for label, *figures in tables["table3_online_error"]["rows"]:
        assert [figure for segment in PAPER[label] for figure in segment] == figures
    assert set(PAPER) <= set(MODELS)


def test_segments_are_fifths_of_the_stream() -> None:
    errors = np.repeat([0.5, -0.1, 0.2, 0.3, -0.4], 20)
    found = in_percent(errors)
    assert found["20-40 %"] == pytest.approx({"mae": 10.0, "mse": 1.0})
    assert found["80-100 %"] == pytest.approx({"mae": 40.0, "mse": 16.0})
    assert found["all"]["mae"] == pytest.approx(30.0)


def test_every_model_is_measured_on_a_stream() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(size=30), np.repeat([0.0, 1.0], 15)])
    layout = Layout(num_columns=2, categories=(1,), group=1)
    table = TaskTable(
        layout, rows, 0.5 + 0.4 * rows[:, 0], rows[:, 1].astype(np.int64), np.arange(len(rows)), 0
    )
    found = measure("small", table, seeds=[0, 1])
    for order in ("random_order", "group_by_group"):
        lines = found[order]
        assert isinstance(lines, dict)
        assert list(lines) == list(MODELS)
        assert len(lines["Adaptive MLP"]["last_alpha"]) == 10
        assert "last_alpha" not in lines["Fixed MLP (L=3)"]
        assert all(0.0 < line["all"]["mae"] < 100.0 for line in lines.values())


def test_runs_and_their_epochs_are_the_same_at_the_end(shared: Path, tmp_path: Path) -> None:
    tables = shared / "tables"
    runs, epochs = (
        task_table(read_table(str(join(tables, tmp_path))), "accuracy", "dataset")
        for join in (medquicktune, medquicktune_epochs)
    )
    assert len(epochs.targets) == 5 * len(runs.targets)
    np.testing.assert_array_equal(epochs.targets[4::5], runs.targets)
