"""Finished runs of a long benchmark, appended to a JSON-lines file so that it can be resumed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.machine import code_version, machine

Row = dict[str, Any]


class RunLog:
    """Rows in a file, each identified by the values of its key fields.

    Several processes can append to the same file: each of them locks it while it writes. A process
    sees the rows that others have added since when it appends or calls `refresh`.

    Args:
        path: the JSON-lines file; created with the first row.
        key: names of the fields that identify a run.
        others: files of other processes, which are only read.
    """

    def __init__(self, path: Path, key: Sequence[str], others: Sequence[Path] = ()) -> None:
        self._path = path
        self._key = tuple(key)
        self._others = tuple(others)
        self._num_read: dict[Path, int] = {}  # bytes of complete lines that were read of a file
        self.rows: list[Row] = []
        self._by_key: dict[tuple[object, ...], Row] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the rows that other processes have added."""
        for path in (self._path, *self._others):
            if path.exists():
                with path.open("rb") as file:
                    self._read_on(path, file)

    def has(self, **key: object) -> bool:
        """Return whether the run with these key values is finished."""
        return self.find(**key) is not None

    def find(self, **key: object) -> Row | None:
        """Return the finished run with these key values, or None."""
        return self._by_key.get(tuple(key[name] for name in self._key))

    def append(self, row: Row) -> None:
        """Write a finished run to the file immediately."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read_on(self._path, file)
            # Only a process that was killed while writing can have left an incomplete last line.
            file.truncate(self._num_read[self._path])
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            self._num_read[self._path] = file.tell()
        self._add(row)

    def _read_on(self, path: Path, file: BinaryIO) -> None:
        """Read the complete lines of a file after those that were read before."""
        start = min(self._num_read.get(path, 0), file.seek(0, os.SEEK_END))
        file.seek(start)
        text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._num_read[path] = start + len(complete)
        for line in complete.splitlines():
            self._add(json.loads(line))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self._by_key.setdefault(tuple(row[name] for name in self._key), row)


def make_missing(log: RunLog, keys: Iterable[Row], command: Callable[[Row], Sequence[str]]) -> int:
    """Make the runs that are missing from a log, each in a separate process; count the failures.

    Args:
        log: receives each run when it is finished, with the processor and the version of the code.
        keys: the key fields of every run.
        command: returns Python's arguments for a run; the process prints the other fields as JSON.
    """
    where, failed = {"cpu": machine()["cpu"], "code_version": code_version()}, 0
    for key in keys:
        if log.has(**key):
            continue
        done = subprocess.run(
            [sys.executable, *command(key)], check=False, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.stderr.write(f"failed: {key}\n")
            failed += 1
            continue
        log.append({**key, **json.loads(done.stdout), **where})
        sys.stderr.write(json.dumps(log.rows[-1]) + "\n")
    return failed


def names_of(data: Sequence[str]) -> dict[str, str]:
    """Return the name of each data set -> DATA as it was given.

    Raises:
        ValueError: two data sets have the same name, by which runs are identified.
    """
    names = {Path(text).name: text for text in data}
    if len(names) < len(set(data)):
        raise ValueError(f"expected data sets of different names, got {', '.join(data)}")
    return names
