"""Temporary folders of killed processes are removed; those of running ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nasoa.scratch import PREFIX, ScratchFolder, sweep

HOLDER = """
import os, sys
from nasoa.scratch import ScratchFolder
folder = ScratchFolder()
(folder.path / "file").write_bytes(bytes(1000))
worker = os.fork() if "fork" in sys.argv else 1
if worker:
    print(folder.path, worker, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of this process and those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(*arguments: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a process with a scratch folder, which ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().split()[0])


def test_a_command_removes_what_a_killed_process_left(temporary: Path) -> None:
    killed, left = holder()
    running, used = holder()
    killed.kill()
    killed.communicate()
    assert (left / "file").exists()
    subprocess.run([sys.executable, "-m", "nasoa", "arch", "sample", "--space", "block", "-n", "1"],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    assert not left.exists()
    assert (used / "file").exists()
    running.communicate()
    assert list(temporary.iterdir()) == []


def test_a_worker_that_outlives_its_process_keeps_the_folder() -> None:
    process, used = holder("fork")
    assert process.stdin is not None
    process.kill()
    process.wait()
    sweep()
    assert (used / "file").exists()
    process.stdin.close()  # the worker ends, which closes its standard output
    assert process.stdout is not None
    process.stdout.read()
    process.stdout.close()
    while used.exists():
        sweep()


def test_a_folder_is_removed_with_its_object(temporary: Path) -> None:
    folder = ScratchFolder()
    assert folder.path.is_dir()
    del folder
    with ScratchFolder() as path:
        assert list(temporary.iterdir()) == [path]
        open_files = len(os.listdir("/proc/self/fd"))
    assert list(temporary.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == open_files - 1


def test_what_only_looks_like_a_scratch_folder_is_left_alone(temporary: Path) -> None:
    (temporary / f"{PREFIX}file").write_text("x")
    (temporary / "other").mkdir()
    (temporary / f"{PREFIX}link").symlink_to("other")
    (temporary / "nasoa-old").mkdir()
    (temporary / f"{PREFIX}empty").mkdir()
    sweep()
    assert {path.name for path in temporary.iterdir()} == {
        f"{PREFIX}file", "other", f"{PREFIX}link", "nasoa-old",
    }  # fmt: skip
