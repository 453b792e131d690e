"""Evaluations of predictors one at a time, together and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from benchmarks import predictor_tables
from benchmarks.predictor_tables import KEY, evaluated, measure, together
from benchmarks.run_log import RunLog
from nasoa.steps.evaluate_predictor import EvaluationConfig, TableColumns, evaluate_table

NAMES = ("running_mean", "neighbours")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rates, datasets = rng.uniform(0.001, 0.1, 24), np.repeat(["a", "b"], 12)
    accuracy = 0.5 + 2 * rates + 0.1 * (datasets == "b")
    path = tmp_path / "runs.csv"
    pd.DataFrame({"lr": rates, "dataset": datasets, "accuracy": accuracy}).to_csv(path, index=False)
    return path


def untimed(evaluation: dict[str, Any]) -> dict[str, Any]:
    for errors in evaluation["error"].values():
        for error in errors:
            del error["ms_per_row"]
    return evaluation


def test_one_at_a_time_is_as_all_at_once(runs: Path) -> None:
    columns = TableColumns(target="accuracy", group="dataset")
    at_once = evaluate_table(str(runs), columns, EvaluationConfig(seed=0, names=NAMES))
    one_by_one = together([measure(runs, name) for name in NAMES])
    assert untimed(one_by_one) == untimed(msgspec.to_builtins(at_once))


def test_what_is_in_the_log_is_not_evaluated_again(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tables.jsonl"
    first = evaluated(runs, "ridge", RunLog(path, KEY))
    asked: list[str] = []

    def measured(_path: Path, name: str) -> dict[str, Any]:
        asked.append(name)
        return measure(runs, name)

    monkeypatch.setattr(predictor_tables, "measure", measured)
    assert evaluated(runs, "ridge", RunLog(path, KEY)) == first
    assert not asked
    runs.write_text(runs.read_text() + "0.01,b,0.62\n")
    assert evaluated(runs, "ridge", RunLog(path, KEY)) != first
    assert asked == ["ridge"]
