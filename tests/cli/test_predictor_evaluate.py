"""`nasoa predictor evaluate`: its document, its tables, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from nasoa.cli import main
from nasoa.steps.evaluating import evaluate_table

ERROR_KEYS = {"name", "mae", "mse", "mae_first_20", "mae_last_20", "coverage_90", "ms_per_row"}


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Four tasks of 12 runs: a model, a learning rate, and a property of the task."""
    rng = np.random.default_rng(0)
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["data", "model", "lr", "classes", "acc"])
        for task in range(4):
            for run in range(12):
                model, rate = ["r18", "r50", "vit"][run % 3], 10.0 ** -(1 + run // 3)
                accuracy = 0.5 + 0.05 * task + 0.05 * (run % 3) - 0.02 * abs(run // 3 - 2)
                writer.writerow(
                    [f"d{task}", model, rate, 2 * task, accuracy + 0.005 * rng.normal()]
                )
    return str(path)


def test_document(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [x for name in ("default", "ridge") for x in ("--predictor", name)]
    arguments = ["predictor", "evaluate", runs, "--target", "acc", "--group", "data"]
    assert main([*arguments, *chosen, "--feedback", "5", "--jobs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"rows", "groups", "target", "error", "selection"} <= set(document)
    assert (document["rows"], document["groups"], document["target"]) == (48, 4, "acc")
    assert set(document["error"]) == {"random_order", "group_by_group"}
    for errors in document["error"].values():
        assert [error["name"] for error in errors] == ["default", "ridge"]
        assert all(set(error) >= ERROR_KEYS for error in errors)
        assert errors[0]["coverage_90"] is not None
        assert errors[1]["coverage_90"] is None
        assert all(0 <= error["mae"] <= 1 for error in errors)
    selection = document["selection"]
    assert selection["feedback"] == 5
    names = [result["name"] for result in selection["results"]]
    assert names == ["default", "ridge", "best_on_average", "random"]
    assert all(0 <= result["regret"] <= 1 for result in selection["results"])


def test_text_ranks_predictors(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predictor", "evaluate", runs, "--target", "acc", "--group", "data"]
    chosen = ["--predictor", "ridge", "--predictor", "running_mean", "--jobs", "1"]
    assert main([*arguments, *chosen]) == 0
    text = capsys.readouterr().out
    for part in ("48 runs of 4 tasks", "random order", "group by group", "best_on_average"):
        assert part in text


def test_processes_change_nothing_but_times(runs: str) -> None:
    one, two = (
        evaluate_table(runs, "acc", "data", names=("ridge", "running_mean"), jobs=jobs)
        for jobs in (1, 2)
    )
    assert one.selection == two.selection
    for order, errors in one.error.items():
        assert [(e.name, e.mae, e.mse) for e in errors] == [
            (e.name, e.mae, e.mse) for e in two.error[order]
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "accuracy", "--group", "data"], "unknown column"),
        (["--target", "acc", "--group", "dataset"], "unknown column"),
        (["--target", "acc"], "--group"),
        (["--target", "acc", "--group", "data", "--feedback", "0"], "at least 1 run"),
        (["--target", "acc", "--group", "data", "--predictor", "rigde"], "did you mean ridge"),
        (["--target", "model", "--group", "data"], "expected numbers"),
    ],
)
def test_refuses_in_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["predictor", "evaluate", runs, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nasoa: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_says_that_rows_are_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("data,lr,acc\n" + "a,0.1,0.5\n" * 3 + "b,0.1,0.6\n")
    arguments = ["predictor", "evaluate", str(path), "--target", "acc", "--group", "data"]
    assert main([*arguments, "--predictor", "running_mean", "--jobs", "1"]) == 0
    assert "2 rows equal an earlier one" in capsys.readouterr().err
