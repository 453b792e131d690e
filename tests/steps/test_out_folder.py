"""The folder for the model is checked by writing to it before anything else is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa.cli import main
from nasoa.errors import InvalidInput
from nasoa.online.tuning.job import Listeners
from nasoa.steps import compute_meta_features, run_task
from nasoa.steps.out_folder import check_out
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store

DIGITS = "sklearn:digits:classes=0,1:per_class=30"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    for out in ("", str(tmp_path), str(tmp_path / "a" / "b")):
        check_out(out)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused_before_the_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_late(*_arguments: object) -> None:
        raise AssertionError("the data were read first")

    monkeypatch.setattr(compute_meta_features, "read_data", too_late)
    (tmp_path / "file").touch()
    long = tmp_path / "new" / ("x" * 300)
    deep = tmp_path.joinpath(*["x" * 200] * 25)
    for out in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/nasoa"), long, deep):
        arguments = ["--time-limit", "30s", "--store", str(tmp_path / "store"), f"--out={out}"]
        assert main(["finetune", DIGITS, *arguments]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "to be a folder" in told or "cannot be written" in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_home_folder_is_meant_by_its_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    with pytest.raises(InvalidInput, match=f"the store {tmp_path}/x to be a folder"):
        check_out("~/x")
    assert main(["zoo", "list", "--store=~/x"]) == 2
    assert f"{tmp_path}/x" in capsys.readouterr().err
    assert not (tmp_path / "~").exists()


def test_a_task_that_stops_tells_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_progress: object) -> None:
        raise KeyboardInterrupt

    session = TaskSession(open_store(str(tmp_path)), clock="steps", models=["ET-NAS-A"])
    request = run_task.Request(data="sklearn:digits", time_limit="60s")
    with pytest.raises(KeyboardInterrupt) as caught:
        run_task.run_task(session, request, Listeners(progress=stop))
    assert caught.value.__notes__ == ["the same command with --resume continues the task"]

    def fail(*_arguments: object, **_keywords: object) -> None:
        raise caught.value

    monkeypatch.setattr(run_task, "run_task", fail)
    assert main(["finetune", DIGITS, "--time-limit", "60s"]) == 1
    told = capsys.readouterr().err
    assert told == ("nasoa: interrupted; the same command with --resume continues the task\n")
