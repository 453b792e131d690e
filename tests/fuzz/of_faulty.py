"""Cases with each fault that the oracle is to find, for its own tests."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import numpy as np

from nasoa.errors import InvalidInput
from tests.fuzz.kinds import Kind
from tests.fuzz.oracle import MOST_CPU_S


class _Plain(InvalidInput):
    """An error that shows its text as it is."""

    def __str__(self) -> str:
        return str(self.args[0])


def _raise(error: BaseException) -> None:
    raise error


def _leave_file() -> None:
    os.close(tempfile.mkstemp()[0])


def _compute() -> None:
    began_s = time.process_time()
    while time.process_time() < began_s + MOST_CPU_S + 0.1:
        pass


def _allocate() -> None:
    np.ones(400 * 1024**2, np.uint8)


def _claim() -> None:
    try:
        np.ones(2**40, np.uint8)
    except MemoryError as error:
        raise InvalidInput(f"not an array: {error}") from None


FAULTS: dict[str, Callable[[], object]] = {
    "accepted": lambda: None,
    "refused": lambda: _raise(InvalidInput("expected a, got b\x1b[31m; give a")),
    "another error": lambda: _raise(KeyError("x")),
    "not even an exception": lambda: _raise(SystemExit(3)),
    "control characters": lambda: _raise(_Plain("expected a, got \x1b[31m")),
    "two lines": lambda: _raise(_Plain("expected a\ngot b")),
    "nothing said": lambda: _raise(_Plain("")),
    "a long line": lambda: _raise(_Plain("x" * 30_000)),
    "a warning": lambda: warnings.warn("old", stacklevel=1),
    "printed": lambda: os.write(2, b"libtiff: warning"),
    "a file left": _leave_file,
    "time": _compute,
    "memory": _allocate,
    "memory that is not there": _claim,
    "killed": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "ended": lambda: os._exit(7),
    "hangs": lambda: time.sleep(1000),
}


def run(case: str, _folder: Path) -> None:
    FAULTS[case]()


def warm_up() -> Iterable[str]:
    return ("accepted",)


def make(rng: Random) -> str:
    return list(FAULTS)[rng.randrange(len(FAULTS))]


KIND = Kind(make, run, warm_up)
