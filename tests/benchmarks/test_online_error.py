"""The paper's printed figures, and ours over the segments that they refer to."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from benchmarks import online_error
from benchmarks.fine_tuning_tables import RUN_COLUMN, medquicktune, medquicktune_epochs
from benchmarks.online_error import (
    MODELS,
    PAPER,
    SEGMENTS,
    errors_before_learning,
    in_percent,
    main,
    measure,
    over_seeds,
)
from benchmarks.table_version import digest
from nasoa.data.table import read_table
from nasoa.online.evaluation.task_table import TaskTable, task_table
from nasoa.online.mixture.layout import Array, Layout
from nasoa.online.mixture.protocol import RowPredictor


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


def test_means_and_deviations_are_over_seeds() -> None:
    rng = np.random.default_rng(0)
    found = [in_percent(rng.normal(0.0, 0.1, 200)) for _ in range(5)]
    summary = over_seeds(found)
    assert list(summary) == list(SEGMENTS)
    for segment, told in summary.items():
        assert list(told) == ["mae", "mae_deviation", "mse", "mse_deviation"]
        for name in ("mae", "mse"):
            values = [one[segment][name] for one in found]
            assert told[name] == pytest.approx(statistics.mean(values), abs=5e-4)
            assert told[f"{name}_deviation"] == pytest.approx(statistics.stdev(values), abs=5e-4)
    assert over_seeds(found[:1])["all"]["mae_deviation"] == 0.0


def test_the_file_names_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        online_error, "MODELS", {"Running mean": online_error.MODELS["Running mean"]}
    )
    path, output = tmp_path / "runs.csv", tmp_path / "found.json"
    lines = [f"{'ab'[i % 2]},{i / 20},{0.3 + i / 40}" for i in range(20)]
    path.write_text("\n".join(["dataset,lr,accuracy", *lines]) + "\n")
    monkeypatch.setattr(sys, "argv", ["online_error", str(path), "--seeds", "2", "-o", str(output)])
    main()
    own = json.loads(output.read_text())["streams"]["runs"]
    assert (own["rows"], own["sha256"]) == (20, digest(path))


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


class Remembering:
    """Predicts what it has learned of the same training, or 0."""

    def __init__(self) -> None:
        self.known: dict[float, float] = {}

    def predict(self, row: Array) -> float:
        return self.known.get(row[0], 0.0)

    def learn(self, row: Array, target: float) -> None:
        self.known[row[0]] = target


def test_no_evaluation_of_a_training_is_predicted_after_another_was_learned() -> None:
    trainings = np.repeat(np.arange(20), 3)
    rows = np.column_stack([trainings, np.repeat([0.0, 1.0], 30)]).astype(float)
    layout = Layout(num_columns=2, categories=(1,), group=1)
    groups = rows[:, 1].astype(np.int64)
    table = TaskTable(layout, rows, np.full(60, 0.5), groups, trainings, 0)
    for order in ("random_order", "group_by_group"):
        predictor = cast("RowPredictor", Remembering())
        assert errors_before_learning(predictor, table, order, 0).tolist() == [-0.5] * 60


def test_runs_and_their_epochs_are_the_same_at_the_end(shared: Path, tmp_path: Path) -> None:
    tables = shared / "tables"
    runs = task_table(read_table(str(medquicktune(tables, tmp_path))), "accuracy", "dataset")
    table = read_table(str(medquicktune_epochs(tables, tmp_path)))
    epochs = task_table(table, "accuracy", "dataset", run=RUN_COLUMN)
    assert epochs.runs.tolist() == np.repeat(np.arange(len(runs.targets)), 5).tolist()
    assert len(epochs.targets) == 5 * len(runs.targets)
    np.testing.assert_array_equal(epochs.targets[4::5], runs.targets)
