"""Clocks that a deadline is measured on.

Every decision that depends on time asks a clock, so that the same run can be measured by the wall
or, to be the same on any machine, by a count of charged work.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Seconds since a task began, on some measure of time."""

    def elapsed_s(self) -> float:
        """Seconds spent since the task began."""

    def charge(self, seconds: float) -> None:
        """Count work that took `seconds` on the reference hardware."""


class WallClock:
    """Real time.

    Args:
        used_s: seconds of the task that were spent before `started`.
        started: `time.monotonic()` when this part of the task began; now by default.
    """

    def __init__(self, used_s: float = 0.0, started: float | None = None) -> None:
        self._zero = (time.monotonic() if started is None else started) - used_s

    def elapsed_s(self) -> float:
        """Seconds by the wall."""
        return time.monotonic() - self._zero

    def charge(self, seconds: float) -> None:
        """Nothing to do: the wall counts by itself."""


class StepClock:
    """Charged work only: the same sum wherever it runs, however fast the machine is."""

    def __init__(self, used_s: float = 0.0) -> None:
        self._elapsed_s = used_s

    def elapsed_s(self) -> float:
        """Seconds charged so far."""
        return self._elapsed_s

    def charge(self, seconds: float) -> None:
        """Count `seconds` of work on the reference hardware."""
        self._elapsed_s += seconds


def process_start() -> float:
    """`time.monotonic()` when this process began, so that its imports count against a limit.

    Only Linux tells it without a further library; elsewhere it is now.
    """
    now = time.monotonic()
    if not sys.platform.startswith("linux"):
        return now
    # Field 22 of /proc/self/stat, counted behind the command's closing bracket (proc(5)).
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return now - (time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)
