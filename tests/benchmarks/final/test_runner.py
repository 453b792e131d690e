"""Missing runs are made once, and a search goes on with its next fine-tune."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.final.hpo import RandomSearch
from benchmarks.final.methods import OneShot
from benchmarks.final.runner import KEY, Cell, Runner, Tuning
from benchmarks.final.subject import Outcome, Subject
from benchmarks.run_log import RunLog
from nasoa.errors import TimeLimitError
from nasoa.records import Regime

CELL = Cell("digits", "t0", 1.0, 0)
REGIME = Regime(
    model="ET-NAS-A",
    lr=0.1,
    frozen_stages=-1,
    iterations=5,
    batch_size=32,
    resolution=32,
    lr_schedule="cosine",
)
TUNING = Tuning(name="random:models", models=("ET-NAS-A",), begin=RandomSearch, multiple=1.0)


def runner_of(path: Path, subject: Subject) -> tuple[Runner, RunLog]:
    log = RunLog(path, KEY)
    return Runner(log, lambda _cell: subject, "v"), log


class Method:
    """Counts its runs; raises an error where it has one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.count = 0

    def __call__(self, subject: Subject, limit_s: float) -> Outcome:
        self.count += 1
        if self.error:
            raise self.error
        return Outcome(regime=REGIME, val_accuracy=0.5, accuracy=0.6, elapsed_s=limit_s)

    def named(self, name: str) -> OneShot:
        return OneShot(name=name, models=("ET-NAS-A",), predicts=False, run=self)


def test_a_finished_run_is_not_repeated(tmp_path: Path, subject: Subject) -> None:
    path, method = tmp_path / "runs.jsonl", Method()
    for _ in range(2):
        runner, log = runner_of(path, subject)
        runner.run_one(CELL, method.named("default:ET-NAS-A"))
    assert method.count == 1
    (row,) = log.rows
    assert (row["accuracy"], row["fits"], row["code_version"]) == (0.6, True, "v")
    assert Regime(**row["regime"]) == REGIME
    runner.run_one(replace(CELL, seed=1), method.named("default:ET-NAS-A"))
    assert method.count == 2


def test_a_limit_that_is_too_short_is_remembered(tmp_path: Path, subject: Subject) -> None:
    path, method = tmp_path / "runs.jsonl", Method(TimeLimitError("too short"))
    for _ in range(2):
        runner, log = runner_of(path, subject)
        runner.run_one(CELL, method.named("nasoa"))
    assert method.count == 1
    assert runner.failed == 0
    assert [(row["fits"], row["why"]) for row in log.rows] == [(False, "too short")]


def test_a_failure_is_counted_and_tried_again(
    tmp_path: Path, subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    runner, log = runner_of(tmp_path / "runs.jsonl", subject)
    runner.run_one(CELL, Method(OSError("no space")).named("nasoa"))
    runner.run_one(CELL, Method().named("paper"))
    assert runner.failed == 1
    assert [row["method"] for row in log.rows] == ["paper"]
    assert "no space" in capsys.readouterr().err
    runner.run_one(CELL, Method().named("nasoa"))
    assert [row["method"] for row in log.rows] == ["paper", "nasoa"]


def test_the_best_default_is_by_validation(tmp_path: Path, subject: Subject) -> None:
    runner, _ = runner_of(tmp_path / "runs.jsonl", subject)
    models = ("ET-NAS-A", "ET-NAS-B")
    for model, val, test in zip(models, (0.6, 0.5), (0.4, 0.9), strict=True):

        def run(_subject: Subject, limit_s: float, val: float = val, test: float = test) -> Outcome:
            return Outcome(regime=REGIME, val_accuracy=val, accuracy=test, elapsed_s=limit_s)

        assert runner.best_default(CELL, models) is None
        name = f"default:{model}"
        runner.run_one(CELL, OneShot(name=name, models=(model,), predicts=False, run=run))
    assert runner.best_default(CELL, models) == "ET-NAS-A"


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_a_search_that_was_cut_off_goes_on(tmp_path: Path, subject: Subject) -> None:
    """Fine-tunes that are in the log are not repeated, and the rest is as without a break."""
    path = tmp_path / "runs.jsonl"
    runner, log = runner_of(path, subject)
    runner.run_tuning(CELL, TUNING)
    assert runner.failed == 0
    whole = [{**row, "wall_s": 0} for row in log.rows]
    assert [row["number"] for row in whole] == list(range(len(whole)))
    spent = [row["elapsed_s"] for row in whole]
    assert len(spent) > 1
    assert sum(spent[:-1]) < TUNING.multiple * CELL.limit_s <= sum(spent)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:40])
    runner, log = runner_of(path, subject)
    runner.run_tuning(CELL, TUNING)
    assert [{**row, "wall_s": 0} for row in log.rows] == whole
    assert path.read_text().startswith("".join(lines[:-1]))


@pytest.mark.usefixtures("one_core")
def test_a_search_that_changed_is_refused(
    tmp_path: Path, subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.jsonl"
    runner_of(path, subject)[0].run_tuning(CELL, replace(TUNING, multiple=0.001))
    (row,) = map(json.loads, path.read_text().splitlines())
    row["regime"]["lr"] = 0.123
    path.write_text(json.dumps(row) + "\n")
    runner, _ = runner_of(path, subject)
    runner.run_tuning(CELL, TUNING)
    assert runner.failed == 1
    assert "give another file to --runs" in capsys.readouterr().err


def test_a_search_for_which_nothing_fits(tmp_path: Path, subject: Subject) -> None:
    runner, log = runner_of(tmp_path / "runs.jsonl", subject)
    for _ in range(2):
        runner.run_tuning(replace(CELL, limit_s=0.4), TUNING)
    assert runner.failed == 0
    assert [row["fits"] for row in log.rows] == [False]
