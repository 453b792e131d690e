"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

# Inside a container, this is the container's own group.
CGROUP = Path("/sys/fs/cgroup")


def num_cores() -> int:
    """Cores that this process may run on, and no more than its container may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, cpu_limit(CGROUP) or cores)


def cpu_limit(cgroup: Path) -> int | None:
    """Cores of a container's CPU limit, rounded up; None without one.

    A limit is a share of time and hides no core, so a pod with 2 CPUs on a node of 64 sees 64.

    Args:
        cgroup: where the control group is mounted, version 2 or 1.
    """
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # not in a group, or "max": no limit
        return None
