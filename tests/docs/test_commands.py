"""Commands in README and the guides: each exists, and those of README and the tutorial are run."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasoa.cli.main import build_parser
from tests.docs.markdown import Code, blocks, quoted

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("nasoa", "make", "python", "find", "mkdir", "cp", "curl", "kill", ".")
# Instead of a minute; on a busy machine a longer one may be needed.
LIMIT = os.environ.get("NASOA_TEST_LIMIT", "40s")
PHOTOGRAPHS = 24


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def unknown(words: list[str]) -> Iterator[str]:
    """Verbs and options of a command line that the program does not have."""
    parser = build_parser()
    while (verbs := verbs_of(parser)) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        if words[0] not in verbs:
            yield words[0]
            return
        parser, words = verbs[words[0]], words[1:]
    for word in words:
        option = re.match(r"--[a-z][a-z-]*", word)
        if option and option[0] not in parser._option_string_actions:
            yield option[0]


def of_nasoa(page: Path) -> list[str]:
    """The command lines of nasoa in a page."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(text) if not block.is_python for line in block.lines]
    return [line for line in [*lines, *quoted(text)] if re.match(r"nasoa [a-z-]", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_and_options_exist(page: Path) -> None:
    wrong = {}
    for line in of_nasoa(page):
        command = re.split(r" [|&;]", line)[0].replace("'", "").replace('"', "")
        if found := list(unknown(command.split()[1:])):
            wrong[line] = found
    assert wrong == {}


def test_wrong_commands_are_noticed() -> None:
    assert list(unknown(["finetune", "photos", "--time-limit", "60s"])) == []
    assert list(unknown(["zoo", "lisst"])) == ["lisst"]
    assert list(unknown(["predict", "model", "--formatt", "csv"])) == ["--formatt"]


def programs(page: Path) -> list[Code]:
    """The blocks of a page that can be run: Python, or commands of known programs alone."""
    found = []
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.is_python or all(line.split()[0] in PROGRAMS for line in block.lines):
            found.append(block)
    return found


def runnable(line: str) -> str:
    """A command as a test runs it, in the environment that there is."""
    if line.startswith("make "):
        return f"make --dry-run --directory {shlex.quote(str(ROOT))} {line[5:]} >/dev/null"
    return ":" if line.startswith(". ") else line


def script(page: Path, folder: Path, port: int) -> str:
    """One script of all that a page tells to type, with a short limit and a free port."""
    lines = ["set -eux", f"cd {shlex.quote(str(folder))}"]
    for number, block in enumerate(programs(page)):
        if block.is_python:
            (folder / f"block{number}.py").write_text(block.text, encoding="utf-8")
            lines.append(f"python block{number}.py")
        else:
            lines += map(runnable, block.lines)
    text = re.sub(r"\b60s\b", LIMIT, "\n".join(lines))
    for python in folder.glob("block*.py"):
        python.write_text(python.read_text().replace("60s", LIMIT))
    return text.replace("8080", str(port)).replace(" /photos ", " photos ")


def save_photograph(path: Path, rng: np.random.Generator, tint: int) -> None:
    """Save a noisy image whose brightest channel is `tint`."""
    pixels = rng.integers(0, 120, (96, 96, 3))
    pixels[..., tint] += 100
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the images that README speaks of."""
    rng = np.random.default_rng(0)
    for tint, name in enumerate(("daisy", "tulip")):
        for number in range(PHOTOGRAPHS):
            save_photograph(tmp_path / "flowers" / name / f"{number:03d}.jpg", rng, tint)
    for name in ("some.jpg", "other.jpg", "a.jpg", "b.jpg", "photos/c.jpg"):
        save_photograph(tmp_path / name, rng, 0)
    for name in ("holiday/1.jpg", "scans/1.png", "scans/2.png"):
        save_photograph(tmp_path / name, rng, 1)
    return tmp_path


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def run(text: str, folder: Path) -> str:
    """Run a script with this checkout's nasoa; returns what it printed."""
    programs = folder / "bin"
    programs.mkdir()
    for name, arguments in (("nasoa", "-m nasoa"), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("NASOA_STORE", None)
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_readme_tells_to_type_runs(workplace: Path, unused_port: int) -> None:
    text = script(README, workplace, unused_port)
    assert "\nnasoa finetune " in text
    run(text, workplace)
    assert (workplace / "flowers-model" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs(tmp_path: Path) -> None:
    """What `make demo` does, with another limit."""
    program = (
        f"from examples import demo; demo.TIME_LIMIT = {LIMIT!r}; raise SystemExit(demo.main())"
    )
    told = run(f"cd {shlex.quote(str(tmp_path))}\npython -c {shlex.quote(program)}", tmp_path)
    assert told.count("accuracy   predicted") == 3
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_runs(tmp_path: Path, unused_port: int) -> None:
    pytest.importorskip("onnxscript", reason="the export of the tutorial needs nasoa[onnx]")
    text = script(TUTORIAL, tmp_path, unused_port)
    run(text, tmp_path)
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "photos.onnx").is_file()
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 11


def test_the_tutorial_is_run_as_a_whole() -> None:
    """Every block of it is one that the test runs."""
    assert programs(TUTORIAL) == blocks(TUTORIAL.read_text(encoding="utf-8"))
