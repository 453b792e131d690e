"""Commands that may take seconds show what they count on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nasoa.api import progress as python_bar
from nasoa.arch import build_network, parse
from nasoa.cli import main
from nasoa.cli.output import step_line
from nasoa.records import Regime, TaskResult
from nasoa.steps import run_task as run_task_module
from nasoa.store import open_store
from nasoa.training.run import Progress
from nasoa.work_progress import report_progress
from tests.store.finished import finish

ENCODING = "020- 8 1-2-1-2"
Shown = Callable[..., str]


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shown:
    """Return a function that runs a command line and returns what a terminal would show of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nasoa.cli.output.WORK_DELAY_S", 0.0)

    def run(*arguments: str, code: int = 0) -> str:
        with on_a_terminal(monkeypatch):
            assert main([*arguments, "--store", "store"]) == code
        return capsys.readouterr().err

    return run


@contextmanager
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: True)
        yield


@pytest.fixture
def weights(tmp_path: Path) -> str:
    file = tmp_path / "net.pth"
    torch.save(build_network(parse(ENCODING), 5).state_dict(), file)
    return str(file)


def test_adding_a_model(shown: Shown, weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    add = ("zoo", "add", weights, "--encoding", ENCODING, "--accuracy", "0.5")
    assert "0 of 3 parts (reading, describing, storing)" in shown(*add)
    assert main([*add, "--store", "store"]) == 0
    assert capsys.readouterr().err == ""  # no terminal


def test_importing_checkpoints(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("a.pth", "b.pth"):
        torch.save({"fc.bias": torch.zeros(10)}, tmp_path / "models" / name)
    assert "0 of 2 checkpoints" in shown("zoo", "import", "models", code=2)


def test_reading_a_store(shown: Shown) -> None:
    for task_id in ("t1", "t2"):
        finish(open_store("store"), task_id)
    assert "of 2 objects of the store" in shown("store", "metrics")
    assert main(["predictor", "update", "--store", "store"]) == 0
    assert "0 of 2 versions" in shown("predictor", "show")
    assert main(["predictor", "rollback", "1", "--relearn", "--store", "store"]) == 0


def test_checking_this_machine(shown: Shown) -> None:
    assert "0 of 7 checks" in shown("doctor")


def test_compiling_and_linting(shown: Shown) -> None:
    told = shown("pipeline", "compile", "finetune-task", "-o", "out")
    assert "0 of 1 pipelines" in told
    assert "0 of 1 files" in told
    assert "0 of 1 files" in shown("pipeline", "lint", "out/finetune_task.yaml")


RESULT = TaskResult(
    task_id="t",
    dataset="d",
    model="m",
    regime=Regime(
        model="m",
        lr=0.1,
        frozen_stages=4,
        iterations=1,
        batch_size=8,
        resolution=32,
        lr_schedule="fitted",
    ),
    predicted_accuracy=0.5,
    accuracy=0.5,
    head_val_accuracy=0.5,
    val_accuracy=0.5,
    elapsed_s=1.0,
    time_limit_s=60.0,
    ended="iterations",
    predictor_version_before=1,
    predictor_version_after=2,
    model_dir="out",
)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_fine_tune_shows_its_limit_whatever_it_prints(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    def run_task(_session: Any, _request: Any, listeners: Any) -> TaskResult:
        assert listeners.progress is not None
        report_progress("images", 3, 9)
        return RESULT

    monkeypatch.setattr(run_task_module, "run_task", run_task)
    told = shown("finetune", "photos", "--time-limit", "3h", *form)
    assert "of 10800 s" in told
    assert "3 of 9 images" in told


def test_a_pipeline_with_a_limit_has_a_bar_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("kfp")
    from nasoa.cli.pipeline import _limit_s

    assert _limit_s("finetune-task", {"time_limit": "90s"}) == 90.0
    assert _limit_s("finetune_images", {}) == 60.0  # the pipeline's default
    assert _limit_s("finetune-task", {"time_limit": "soon"}) is None
    assert _limit_s("finetune-task", {"clock": "steps"}) is None
    assert _limit_s("build-zoo", {"time_limit": "90s"}) is None
    with on_a_terminal(monkeypatch), step_line(90.0) as begins:
        begins("finetune")
    told = capsys.readouterr().err
    assert "finetune" in told
    assert "0 of 90 s" in told


PROGRESS = Progress(
    iteration=10,
    planned_iterations=400,
    elapsed_s=5.0,
    limit_s=20.0,
    train_loss=1.0,
    val_accuracy=0.75,
    lr=0.1,
)


@pytest.mark.parametrize(
    ("show", "is_terminal", "is_shown"),
    [
        (None, False, False),
        (None, True, True),
        (False, True, False),
        (True, False, True),
    ],
)
def test_the_bar_of_the_python_interface(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    show: bool | None,
    is_terminal: bool,
    is_shown: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    with python_bar.progress_bar(20.0, lambda: 1.0, show) as update:
        assert (update is not None) == is_shown
        if update is not None:
            update(PROGRESS)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("5 of 20 s, 15 s left, accuracy 0.750" in captured.err) == is_shown


@pytest.mark.filterwarnings("ignore::tqdm.TqdmWarning")
def test_a_notebook_is_recognised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shell(config: dict[str, object] | None) -> SimpleNamespace:
        found = None if config is None else SimpleNamespace(config=config)
        return SimpleNamespace(get_ipython=lambda: found)

    for config, expected in (({"IPKernelApp": {}}, True), ({}, False), (None, False)):
        monkeypatch.setitem(sys.modules, "IPython", shell(config))  # type: ignore[arg-type]
        assert python_bar.is_notebook() == expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert not python_bar.is_notebook()
    # Without a widget library, a notebook gets a bar of text.
    monkeypatch.setattr(python_bar, "is_notebook", lambda: True)
    with python_bar.progress_bar(20.0, lambda: 1.0, None) as update:
        assert update is not None
        update(PROGRESS)
    assert "5 of 20 s" in capsys.readouterr().err
