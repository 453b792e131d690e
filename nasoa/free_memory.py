"""How much memory is left to this process, on the machine and in its container."""

from __future__ import annotations

from pathlib import Path

# Inside a container, this is the control group of the container.
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
# By version of control groups: the limit, what is used, and the cached files among that.
FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def budget_bytes(most: int, fraction: float) -> int:
    """Return `most`, or a fraction of the memory that is left if that is known and less."""
    free = free_bytes()
    return most if free is None else min(most, int(fraction * free))


def free_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Return the bytes that can be allocated without swapping; None if the system does not say.

    Args:
        meminfo: file with the kernel's counters.
        cgroup: mount point of the control group, version 1 or 2.
    """
    known = [_free_on_machine(meminfo), *(_free_in_group(cgroup, *names) for names in FILES)]
    return min((free for free in known if free is not None), default=None)


def _free_on_machine(meminfo: Path) -> int | None:
    kilobytes = _counter(meminfo, "MemAvailable:")
    return None if kilobytes is None else 1024 * kilobytes


def _free_in_group(cgroup: Path, limit: str, used: str, counters: str) -> int | None:
    try:
        # Without a limit, this is "max" in version 2.
        most, now = (int((cgroup / name).read_text()) for name in (limit, used))
    except (OSError, ValueError):
        return None
    # Cached files are given up when memory is needed.
    return max(0, most - now + (_counter(cgroup / counters, "inactive_file") or 0))


def _counter(file: Path, name: str) -> int | None:
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
        return next((int(line[1]) for line in lines if line and line[0] == name), None)
    except (OSError, ValueError, IndexError):
        return None
