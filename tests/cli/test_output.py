"""Tables and the progress bar."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from nasoa.cli import main
from nasoa.cli.output import step_line, table
from nasoa.steps.limit_bar import limit_bar
from nasoa.training.run import Progress
from nasoa.work_progress import report_progress


def test_a_table_aligns_numbers_to_the_right() -> None:
    text = table(("name", "n"), [("a", 5), ("long", 12)])
    assert text.splitlines() == ["name   n", "a      5", "long  12"]
    assert table(("name", "n"), []) == "name  n"


def test_the_bar_of_a_task_tells_what_is_done_and_the_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seconds = iter([1.0, 1.01, 2.0])
    with limit_bar(20.0, lambda: next(seconds)) as update:
        for done in (3, 4, 5):
            report_progress("images", done, 9)
        for iteration, used_s in ((10, 5.0), (30, 6.0)):
            update(
                Progress(
                    iteration=iteration,
                    planned_iterations=400,
                    elapsed_s=used_s,
                    limit_s=19.0,
                    train_loss=1.234,
                    val_accuracy=0.75,
                    lr=0.1,
                )
            )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1 of 20 s, 19 s left, 3 of 9 images" in captured.err
    assert "4 of 9 images" not in captured.err  # too soon after the last
    assert "2 of 20 s, 18 s left, 5 of 9 images" in captured.err
    assert "5 of 20 s, 15 s left, accuracy 0.750, loss 1.23, 10 of about 400 steps" in captured.err
    assert "6 of 20 s, 14 s left, accuracy 0.750, loss 1.23, 30 of about 400 steps" in captured.err
    assert "20 per second" in captured.err
    report_progress("images", 9, 9)  # nobody listens any more


def test_a_table_fits_a_narrow_terminal() -> None:
    words = "stem and 2 stages frozen, lr 0.01 (cosine)"
    text = table(("model", "regime", "n"), [("a-model", words, 5), ("b", "short", 12)], width=40)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0].split() == ["model", "regime", "n"]
    assert lines[1].startswith("a-model  stem and 2")
    assert lines[1].endswith(" 5")
    assert " ".join(line[9:36].strip() for line in lines[1:-1]) == words
    assert lines[-1].split() == ["b", "short", "12"]
    # Numbers are never wrapped, and a column keeps a few characters.
    assert "123456" in table(("x", "number"), [("word " * 9, 123456)], width=4)


def test_without_a_terminal_a_table_is_as_wide_as_its_cells() -> None:
    assert len(table(("name",), [("x" * 300,)]).splitlines()[1]) == 300


def on_a_terminal(*arguments: str, columns: int = 60, **variables: str) -> str:
    """Run the command with its output on a terminal of some columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {**os.environ, "TERM": "xterm", **variables}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(
        [sys.executable, "-m", "nasoa", *arguments], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    assert process.returncode in (0, 2)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_colours_are_for_terminals_that_want_them(capsys: pytest.CaptureFixture[str]) -> None:
    said = " unknown verb 'finetun': did you mean finetune?\n"
    assert on_a_terminal("finetun", NO_COLOR="") == f"\033[31;1mnasoa:\033[0m{said}"
    assert on_a_terminal("finetun", NO_COLOR="1") == f"nasoa:{said}"
    assert on_a_terminal("finetun", NO_COLOR="", TERM="dumb") == f"nasoa:{said}"
    assert main(["finetun"]) == 2
    assert capsys.readouterr().err == f"nasoa:{said}"


def test_a_line_tells_what_runs_now(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with step_line() as begins:
        begins("compute-meta-features")
        begins("finetune")
    shown = capsys.readouterr().err
    assert "compute-meta-features, 00:00 since the start" in shown
    assert "finetune, 00:00 since the start" in shown
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with step_line() as begins:
        begins("finetune")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_listing_fits_the_terminal(tmp_path: Path) -> None:
    lines = on_a_terminal("zoo", "list", "--store", str(tmp_path), NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= 60
    assert sum("ImageNet" in line for line in lines) == 3


@pytest.mark.slow
def test_sharding_shows_rate_and_time_left(tmp_path: Path) -> None:
    data = "sklearn:digits:classes=0,1:per_class=20"
    shown = on_a_terminal("data", "shard", data, "-o", str(tmp_path / "shards"), columns=90)
    assert " of 40 images, " in shown
    assert " left" in shown
    assert "shard: 40 images in 1 shards" in shown


@pytest.mark.slow
def test_a_task_shows_its_progress_even_if_only_a_head_is_fitted(tmp_path: Path) -> None:
    shown = on_a_terminal(
        *("finetune", "sklearn:digits:per_class=60", "--time-limit", "20s"),
        *("--model", "efficientnet-lite0", "--store", str(tmp_path)),
        columns=120,
    )
    assert re.search(r"of 20 s, \d+ s left, \d+ of \d+ training images", shown)
    assert re.search(r"of 20 s, \d+ s left, \d+ of \d+ test images", shown)
    assert "model      efficientnet-lite0, " in shown
