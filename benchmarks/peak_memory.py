"""The peak memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the largest resident memory that this process has had, in bytes.

    On Linux it is not `ru_maxrss`, which a process takes over from the one that started it.
    """
    if STATUS.exists():
        return 1024 * int(STATUS.read_text(encoding="ascii").split("VmHWM:")[1].split()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
