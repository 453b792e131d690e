"""The harness on a few digits: every method, and the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.final.__main__ import main
from benchmarks.final.subject import Subject
from nasoa.steps.methods import PAPER
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store
from tests import steps_alone

SOME = ["--limits", "1s", "--seeds", "0", "--multiples", "1", "--models", "ET-NAS-A"]


def run(folder: Path, digits: str, *options: str) -> dict[str, Any]:
    output = folder / "final.json"
    files = ["--runs", str(folder / "runs.jsonl"), "--output", str(output)]
    assert main([digits, *SOME, *files, *options]) == 0
    found: dict[str, Any] = json.loads(output.read_text())
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_runs_are_made_once_and_summarised(
    tmp_path: Path, digits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = ["--methods", "default", "random", "--scopes", "models"]
    first = run(tmp_path, digits, *methods)
    assert [(r["method"], r["budget"]) for r in first["summary"]] == [("random:models", 1.0)]
    (refused,) = first["does_not_fit"]
    assert (refused["method"], refused["data"]) == ("default:ET-NAS-A", digits)
    assert refused["why"].startswith("expected a time limit of at least")
    assert first["seeds"] == [0]
    assert first["limits_s"] == [{"limit": "1s", "data": digits, "s": 1.0}]
    assert first["machine"]["torch"]
    assert first["over_the_limit"] == []
    assert "| random:models | 1 |" in capsys.readouterr().out
    runs = (tmp_path / "runs.jsonl").read_text()
    assert len(first["runs"]) == len(runs.splitlines()) - 1
    assert run(tmp_path, digits, *methods) == first
    assert run(tmp_path, digits, *methods, "--report") == first
    assert (tmp_path / "runs.jsonl").read_text() == runs


def test_wrong_use_is_one_line(
    tmp_path: Path, digits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--runs", str(tmp_path / "runs.jsonl"), "--output", str(tmp_path / "final.json")]
    assert main([digits, *SOME, *files, "--methods", "paper", "--report"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("there are none; leave out --report")
    assert main([digits, *SOME[:-1], "ET-NAS-Z", *files, "--report"]) == 2
    assert "ET-NAS-Z" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([digits, *SOME, *files, "--methods", "random"])
    assert "expected default among --methods" in capsys.readouterr().err
    assert not (tmp_path / "final.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("one_core")
def test_every_method(tmp_path: Path, digits: str) -> None:
    """Two processes' files are read together; BOHB and TPE only where they are installed."""
    searches = ["random"]
    for name, library in (("bohb", "syne_tune"), ("tpe", "optuna")):
        try:
            __import__(library)
        except ImportError:
            continue
        searches.append(name)
    methods = ["nasoa", "paper", "zoo", "average", "series", "default", *searches]
    options = [
        *("--methods", *methods, "--models", "ET-NAS-A", "mobilenet_v3_small"),
        *("--multiples", "1", "2", "--limits", "1.5s"),
    ]
    result = run(tmp_path, digits, *options)
    found = {(r["method"], r["budget"]): r for r in result["summary"]}
    for search in searches:
        for scope in ("hyperparameters", "models"):
            assert {(f"{search}:{scope}", 1.0), (f"{search}:{scope}", 2.0)} <= found.keys()
    assert all(record["mean"] > 1 / 3 for record in found.values())
    assert result["over_the_limit"] == []
    # What is best on average over images of 64 px may be a size that images of 8 px do not admit.
    assert {row["method"] for row in result["does_not_fit"]} <= {"average"}
    assert all("reaches_nasoa" in r for (method, _), r in found.items() if method != "nasoa")
    # Half of the rows come from a file of another process.
    lines = (tmp_path / "runs.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[::2]))
    (tmp_path / "b.jsonl").write_text("".join(lines[1::2]))
    both = ["--runs", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    again = run(tmp_path, digits, *options, *both)
    assert again["summary"] == result["summary"]
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == len(lines[::2])


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_one_shot_is_the_command(tmp_path: Path, digits: str, subject: Subject) -> None:
    """The paper's method gives what `nasoa finetune --method paper --clock steps` gives."""
    found = subject.choose(2.0, PAPER, ["ET-NAS-A"])
    store = open_store(str(tmp_path))
    session = TaskSession(store, clock="steps", method=PAPER, models=["ET-NAS-A"])
    result = steps_alone.running.run_task(
        session, steps_alone.running.Request(data=digits, time_limit="2s")
    )
    assert (found.accuracy, found.regime) == (result.accuracy, result.regime)
    assert found.elapsed_s == result.elapsed_s
    assert found.predicted_accuracy == result.predicted_accuracy


def test_training_is_charged_from_the_choice_on(subject: Subject) -> None:
    """Describing the task is not charged to methods that do not need it."""
    assert subject.task.used_s == 0.0
    assert subject.task.probes == ()
    assert subject.budget(10.0).seconds - subject.budget(10.0, 3.0).seconds == pytest.approx(3.0)
