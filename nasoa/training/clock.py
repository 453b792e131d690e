"""Clocks for deadlines.

Every decision that depends on time asks a clock: the wall clock, or one that counts charged work,
so that a run gives the same result on every machine.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Measures the seconds since a task began."""

    def elapsed_s(self) -> float:
        """Return the seconds since the task began."""

    def charge(self, seconds: float) -> None:
        """Charge work that takes `seconds` on the reference hardware."""


class WallClock:
    """Real time.

    Args:
        used_s: seconds that the task had used before `started`.
        started: `time.monotonic()` when this part of the task began; now by default.
    """

    def __init__(self, used_s: float = 0.0, started: float | None = None) -> None:
        self._zero = (time.monotonic() if started is None else started) - used_s

    def elapsed_s(self) -> float:
        """Return the seconds since the task began, in real time."""
        return time.monotonic() - self._zero

    def charge(self, seconds: float) -> None:
        """Do nothing: real time passes by itself."""


class StepClock:
    """Counts charged work only, so that its time is the same on every machine.

    Args:
        used_s: seconds that the task has already used.
    """

    def __init__(self, used_s: float = 0.0) -> None:
        self._elapsed_s = used_s

    def elapsed_s(self) -> float:
        """Return the seconds charged so far."""
        return self._elapsed_s

    def charge(self, seconds: float) -> None:
        """Charge work that takes `seconds` on the reference hardware."""
        self._elapsed_s += seconds


def process_start() -> float:
    """Return the `time.monotonic()` at which this process began.

    A time limit thus includes the imports of the process. On systems other than Linux, which would
    need another library, it is the current time.
    """
    now = time.monotonic()
    if not sys.platform.startswith("linux"):
        return now
    # Field 22 of /proc/self/stat; fields after the command's closing bracket start at 3 (proc(5)).
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return now - (time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)
