"""Signals, full disks and missing folders: one line, the right exit code, no files left."""

from __future__ import annotations

import bz2
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nasoa.cli import main

DIGITS = "sklearn:digits:classes=0,1:per_class=20"
PADDING = 400  # files of 20 MB of zeros, each a few kilobytes when compressed


@pytest.fixture(scope="module")
def padded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that takes a minute to unpack."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a/0.png"), io.BytesIO())
    path = tmp_path_factory.mktemp("data") / "padded.tar.bz2"
    path.write_bytes(bz2.compress(plain.getvalue()) + PADDING * bz2.compress(bytes(20_000_000)))
    return path


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `nasoa` with `folder/tmp` for temporary files and `folder/store` as its store."""
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "nasoa", *arguments, "--store", str(folder / "store")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )


def scratch_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "tmp").rglob("*") if path.is_file())


def wait_until_unpacking(process: subprocess.Popen[str], folder: Path) -> None:
    while scratch_bytes(folder) < 20_000_000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("signals", "code", "line"),
    [
        ([signal.SIGTERM], 143, "nasoa: terminated by SIGTERM"),
        ([signal.SIGINT], 1, "nasoa: interrupted"),
        ([signal.SIGINT, signal.SIGINT], 1, ""),
    ],
    ids=["sigterm", "sigint", "sigint-twice"],
)
def test_a_signal_leaves_nothing_behind(
    tmp_path: Path, padded: Path, signals: Sequence[signal.Signals], code: int, line: str
) -> None:
    process = started(tmp_path, "finetune", str(padded), "--time-limit", "10m")
    wait_until_unpacking(process, tmp_path)
    asked = time.monotonic()
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - asked < 5
    assert process.returncode == code
    assert out == ""
    (told,) = err.splitlines()
    assert told.startswith("nasoa: ")
    assert line in told
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "store").exists()


def test_a_limit_that_is_over_while_data_are_read(tmp_path: Path, padded: Path) -> None:
    began = time.monotonic()
    process = started(tmp_path, "finetune", str(padded), "--time-limit", "6s")
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 6.5
    assert process.returncode == 2
    assert out == ""
    (line,) = err.splitlines()
    assert "got 6.0 s" in line
    assert list((tmp_path / "tmp").iterdir()) == []


# A call that hangs, like a disk that does not answer, and that cannot be interrupted.
HANGS = """
import sys, time
from nasoa.store.local import LocalStore
LocalStore.put_if_absent = lambda *_: time.sleep(60)
from nasoa.cli import command
sys.argv = ["nasoa", *sys.argv[1:]]
command()
"""


@pytest.mark.slow
def test_what_nothing_can_interrupt_ends_with_the_limit(tmp_path: Path) -> None:
    """For example, a disk that does not answer."""
    began = time.monotonic()
    arguments = ["finetune", DIGITS, "--time-limit", "12s", "--store", str(tmp_path / "store")]
    done = subprocess.run(
        [sys.executable, "-c", HANGS, *arguments], capture_output=True, text=True, check=False
    )
    assert time.monotonic() - began < 12.5 + 0.3  # without the start of Python
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "got 12.0 s" in line


@pytest.mark.parametrize("count", [1, 1000], ids=["at the end", "on the way"])
def test_output_that_cannot_be_written(count: int) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nasoa", "arch", "sample", "--space", "block", "-n", str(count)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("arch sample --space block -n 1 >&-", 0, ""),
        ("arch stats bad 2>&-", 2, ""),
        ("predict absent - <&-", 2, "nasoa: no images in -: expected image files"),
    ],
)
def test_streams_that_are_closed(command: str, code: int, told: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nasoa {command}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == bool(told)


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from nasoa.cli import command
sys.argv = ["nasoa", *sys.argv[1:]]
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
command()
"""


def test_a_disk_that_is_full_while_an_archive_is_unpacked(tmp_path: Path, padded: Path) -> None:
    """The archive is intact, and the message must not blame it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-c", FULL_DISK, "task", "describe", str(padded)),
            *("--store", str(tmp_path / "store")),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "not a complete" not in line
    assert f"cannot be unpacked into {temporary}" in line
    assert "File too large" in line  # what RLIMIT_FSIZE raises instead of ENOSPC
    assert list(temporary.iterdir()) == []


NO_TEMPORARY_FOLDER = """
import sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/proc/none"]
from nasoa.cli import command
sys.argv = ["nasoa", *sys.argv[1:]]
command()
"""


def test_no_folder_for_temporary_files(tmp_path: Path, padded: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c", NO_TEMPORARY_FOLDER, "task", "describe", str(padded)),
            *("--store", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "set TMPDIR" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["finetune", DIGITS, "--time-limit", "9s", "--seed", "-1"], "from 0 to"),
        (["finetune", DIGITS, "--time-limit", "9s", "--seed", "4294967296"], "from 0 to"),
        (["arch", "sample", "--space", "block", "-n", "1", "--seed", "-1"], "from 0 to"),
        (["finetune", "s3://b/x", "--time-limit", "9s"], "NASOA_S3_ENDPOINT"),
        (["finetune", DIGITS, "--time-limit", "9s", "--store", "s3://b/x"], "NASOA_S3_ENDPOINT"),
        (["finetune", DIGITS, "--time-limit", "9s", "--store", "/proc/nasoa"], "cannot be written"),
    ],
)
def test_one_line_and_nothing_left(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NASOA_S3_ENDPOINT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert told in line
    assert list(tmp_path.iterdir()) == []


WRITES = """
import os, sys, time
from pathlib import Path
from nasoa.cli.process_end import own_process
from nasoa.partial_file import partial_file
own_process()
with partial_file(Path(sys.argv[1])) as file:
    told = False
    while True:
        try:
            if not told:
                told = True
                print(file.name, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass  # as code that catches everything does
"""


def test_a_file_that_is_being_written_is_removed_at_the_second_signal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert Path(process.stdout.readline().strip()).exists()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err == "nasoa: terminated by a second signal\n"
    assert list(tmp_path.iterdir()) == []


FORKS = """
import atexit, os, sys
from pathlib import Path
from nasoa.partial_file import partial_file
with partial_file(Path(sys.argv[1])) as file:
    child = os.fork()
    if child == 0:
        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
    assert Path(file.name).exists()
"""


def test_a_file_that_is_written_belongs_to_its_process(tmp_path: Path) -> None:
    """A child that exits does not remove what its parent is writing."""
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []
