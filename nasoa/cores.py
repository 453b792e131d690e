"""How many cores this process may use, and how many it does."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Inside a container, this is the container's own group.
CGROUP = Path("/sys/fs/cgroup")
STAT = Path("/proc/stat")
NEGLECTED = 0.3  # of a core: what others may use without a thread making room for it


class OtherWork:
    """How busy other processes keep the cores from now on.

    Threads that wait for each other are several times as slow as a single one where they share a
    core with somebody else's work. Processes of lower priority than this one do not count.

    Args:
        stat: the kernel's counters; where there are none, nobody else is seen.
    """

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._began = self._now()

    def free_cores(self) -> int:
        """Cores of `num_cores` that others left free since this was made, at least one."""
        began, now = self._began, self._now()
        if began is None or now is None or now[0] <= began[0]:
            return num_cores()
        busy = (now[1] - began[1]) / (now[0] - began[0])
        free = math.floor((os.cpu_count() or 1) - busy + NEGLECTED)
        return max(1, min(num_cores(), free))

    def _now(self) -> tuple[float, float] | None:
        """The time, and seconds of others' work on all cores since the machine began."""
        try:
            counts = self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()
            user, nice, system, _idle, _waiting, irq, softirq, stolen = map(int, counts[1:9])
        except (OSError, ValueError):
            return None
        ticks = user + system + irq + softirq + stolen
        if os.nice(0) > 0:
            ticks += nice
        own = os.times()
        own_s = own.user + own.system + own.children_user + own.children_system
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK") - own_s


def num_cores() -> int:
    """Cores that this process may run on, and no more than its container may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, cpu_limit(CGROUP) or cores)


def one_thread() -> None:
    """Have the numerical libraries of this process use one thread, now and for good.

    For processes that share the cores. OpenMP reads its variable where a library is loaded, as
    scikit-learn's is when its first trees are made, so that the limit holds for these too.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(1)


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Limit the threads of NumPy's and SciPy's linear algebra in the block.

    OpenBLAS takes a thread for each core whatever torch is told, and these wait for each other by
    spinning: beside two busy processes on two cores, that took eight times as long as one thread.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(threads, user_api="blas"):
        yield


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
