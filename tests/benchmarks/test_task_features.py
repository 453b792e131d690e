"""What describes a task is left out column by column, and finished variants are not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import task_features
from benchmarks.run_log import RunLog
from nasoa.online.collecting.collected_table import write_table
from nasoa.online.collecting.starter import TABLE, collected_runs
from nasoa.steps.evaluate_predictor import TableColumns, open_table


def test_every_variant_is_a_table_of_arbitrary_columns() -> None:
    sizes = {}
    for variant in ("all columns", "without landmark and probes"):
        dropped = task_features.VARIANTS[variant]
        columns = TableColumns(target="accuracy", group="dataset", drop=dropped)
        table, hidden = open_table(str(TABLE), columns)
        assert table.runs_of_nasoa is None
        assert {*dropped} <= {*hidden}
        sizes[variant] = table.layout.num_columns
        assert len(set(table.runs.tolist())) < len(table.rows)  # trainings stay together
    assert sizes["all columns"] - sizes["without landmark and probes"] == 4


def test_a_variant_is_evaluated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.parquet"
    by_dataset: dict[str, list[object]] = {}
    for record in collected_runs():
        by_dataset.setdefault(record.dataset, []).append(record)
    write_table([r for records in [*by_dataset.values()][:2] for r in records[:8]], path)  # type: ignore[misc]
    log = RunLog(tmp_path / "runs.jsonl", task_features.KEY)
    row = task_features.evaluated(path, "without the landmark", log, processes=1)
    assert (row["rows"], row["tasks"]) == (16, 2)
    assert 0.0 <= row["mae"]["random_order"] <= 1.0
    monkeypatch.setattr(task_features, "evaluate_table", None)
    assert task_features.evaluated(path, "without the landmark", log, processes=1) == row
    (variant,) = task_features.summarise([row])["variants"].values()
    assert variant["dropped"] == ["landmark_accuracy"]
