"""Control characters in file names cannot affect a terminal or a log."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nasoa.cli import main
from nasoa.data import load_dataset
from nasoa.errors import DataError
from nasoa.logs import TextFormatter
from nasoa.plain_text import LONGEST, escaped, escaped_lines, shortened

RED = "\x1b[31m\x9b0m\u202e"
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(text=st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in escaped(text))
    assert escaped_lines(text).count("\n") == text.count("\n")


def test_no_character_that_turns_text_is_left() -> None:
    assert not set(DIRECTIONS) & set(escaped(DIRECTIONS))


def test_a_message_with_a_long_name_lacks_the_middle() -> None:
    text = f"expected a name, got {'x' * 65_535!r}: give another"
    message = str(DataError(text))
    assert len(message) <= LONGEST
    assert message.startswith("expected a name, got 'xxx")
    assert message.endswith("give another")
    assert shortened(text[:LONGEST]) == text[:LONGEST]


def test_the_end_of_a_secret_is_not_shown_without_its_name() -> None:
    for text in (f"password={'s3cret/' * 1000} is wrong", f"password={'s3cret/' * 1000}"):
        assert "s3cret" not in str(DataError(text))


@given(text=st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_words_stay(text: str) -> None:
    assert escaped(text) == escaped_lines(text) == text


def test_messages_and_logs_show_them_escaped() -> None:
    assert "\x1b" not in str(DataError(f"no {RED}"))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter("%(message)s"))
    handler.handle(logging.LogRecord("x", 30, "", 0, f"a {RED}\nforged line", (), None))
    assert stream.getvalue() == "a \\x1b[31m\\x9b0m\\u202e\\nforged line\n"


def test_names_of_files_and_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat" + RED, "dog"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (9, 9), (number, 9, 9)).save(tmp_path / name / f"{number}{RED}.png")
    assert load_dataset(str(tmp_path), seed=0).class_names[0] == "cat\\x1b[31m\\x9b0m\\u202e"
    (tmp_path / "dog" / f"bad{RED}.png").write_text("no image")
    assert main(["task", "describe", str(tmp_path), "--store", "s"]) == 2
    assert main(["task", "describe", f"none{RED}", "--store", "s"]) == 2
    told = capsys.readouterr()
    assert "\\x1b[31m" in told.err
    assert not set(RED) & {"\x1b", "\x9b", "\u202e"} & set(told.err + told.out)


def test_rows_of_predictions(tmp_path: Path) -> None:
    from nasoa.cli.answers import as_csv, as_table
    from nasoa.steps.classifying import Answer

    answers = [
        Answer(image=f"a{RED}.png", class_name="x" + RED, probability=1.0),
        Answer(image=f"b{RED}.png", error=f"no image b{RED}.png"),
    ]
    for form in (as_table, as_csv):
        text = "".join(form([answers]))
        assert not {"\x1b", "\x9b", "\u202e"} & set(text)
        assert text.count("\\x1b[31m") >= 4


def test_an_image_that_would_start_a_program_is_none(tmp_path: Path) -> None:
    """Pillow would run Ghostscript on PostScript, whatever the suffix of the file."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (9, 9), (number, 9, 9)).save(
                tmp_path / "data" / name / f"{number}.jpg"
            )
    image = tmp_path / "data" / "cat" / "evil.jpg"
    Image.new("RGB", (9, 9)).save(image, "EPS")
    code = (
        "import sys; from nasoa.data import load_dataset\n"
        "print(load_dataset(sys.argv[1], seed=0).num_skipped)"
    )
    path = f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data")],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n"
    assert not (tmp_path / "ran").exists()
