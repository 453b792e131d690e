"""Finished runs of a long benchmark, appended to a JSON-lines file so that it can be resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class RunLog:
    """Rows in a file, each identified by the values of its key fields.

    Args:
        path: the JSON-lines file; created with the first row.
        key: names of the fields that identify a run.
        others: files of other processes, which are only read.
    """

    def __init__(self, path: Path, key: Sequence[str], others: Sequence[Path] = ()) -> None:
        self._path = path
        self._key = tuple(key)
        text = path.read_text() if path.exists() else ""
        # A process that was killed while writing leaves an incomplete last line.
        complete = _complete_lines(text)
        if complete != text:
            path.write_text(complete)
        there = [other for other in others if other.exists()]
        texts = [complete, *(_complete_lines(other.read_text()) for other in there)]
        self.rows: list[Row] = [json.loads(line) for text in texts for line in text.splitlines()]
        self._by_key: dict[tuple[object, ...], Row] = {}
        for row in self.rows:
            self._by_key.setdefault(self._values(row), row)

    def has(self, **key: object) -> bool:
        """Return whether the run with these key values is finished."""
        return self.find(**key) is not None

    def find(self, **key: object) -> Row | None:
        """Return the finished run with these key values, or None."""
        return self._by_key.get(tuple(key[name] for name in self._key))

    def append(self, row: Row) -> None:
        """Write a finished run to the file immediately."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        self._by_key.setdefault(self._values(row), row)

    def _values(self, row: Row) -> tuple[object, ...]:
        return tuple(row[name] for name in self._key)


def _complete_lines(text: str) -> str:
    return text[: text.rfind("\n") + 1]


def make_missing(log: RunLog, keys: Iterable[Row], command: Callable[[Row], Sequence[str]]) -> int:
    """Make the runs that are missing from a log, each in a separate process; count the failures.

    Args:
        log: receives each run when it is finished, with the version of the code.
        keys: the key fields of every run.
        command: returns Python's arguments for a run; the process prints the other fields as JSON.
    """
    version, failed = code_version(), 0
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
        log.append({**key, **json.loads(done.stdout), "code_version": version})
        sys.stderr.write(json.dumps(log.rows[-1]) + "\n")
    return failed


def code_version() -> str:
    """Return the commit of this checkout, with `-dirty` if tracked files differ from it.

    Outside a checkout it is `unknown`.
    """
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def names_of(data: Sequence[str]) -> dict[str, str]:
    """Return the name of each data set -> DATA as it was given.

    Raises:
        ValueError: two data sets have the same name, by which runs are identified.
    """
    names = {Path(text).name: text for text in data}
    if len(names) < len(set(data)):
        raise ValueError(f"expected data sets of different names, got {', '.join(data)}")
    return names
