"""The number of cores that this process may use, and limits on the number that it does use."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Inside a container, this is the control group of the container.
CGROUP = Path("/sys/fs/cgroup")
STAT = Path("/proc/stat")
NEGLECTED = 0.3  # fraction of a core that other processes may use at no cost in threads


class OtherWork:
    """Measures how much other processes use the cores, from its creation on.

    Threads that wait for each other are several times slower than a single thread if one of them
    shares its core with another process. Processes of lower priority than this one are ignored.

    Args:
        stat: file with the kernel's counters; without it, no other work is detected.
    """

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._began = self._now()

    def free_cores(self) -> int:
        """Return how many of `num_cores` other processes have left free so far; at least one."""
        began, now = self._began, self._now()
        if began is None or now is None or now[0] <= began[0]:
            return num_cores()
        busy = (now[1] - began[1]) / (now[0] - began[0])
        free = math.floor((os.cpu_count() or 1) - busy + NEGLECTED)
        return max(1, min(num_cores(), free))

    def _now(self) -> tuple[float, float] | None:
        """Return the time and the CPU seconds of other processes since boot; None if unknown."""
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


def sleep_soon() -> None:
    """Let waiting threads of OpenMP look for a moment before they sleep (decision 0014).

    Called before torch is imported, because OpenMP reads the environment only once. What the
    environment already says of it stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def num_cores() -> int:
    """Return the number of cores that this process may run on, within its container's limit."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, cpu_limit(CGROUP) or cores)


def one_thread() -> None:
    """Limit the numerical libraries of this process to one thread, permanently.

    This is for processes that share the cores. The environment variable is read when a library
    loads OpenMP, so the limit also holds for libraries that are loaded later, like scikit-learn's.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(1)


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Limit the threads of NumPy's and SciPy's linear algebra within the block.

    OpenBLAS starts a thread for each core regardless of torch's setting, and its threads wait for
    each other by spinning: beside two busy processes on two cores, they took eight times as long as
    a single thread.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(threads, user_api="blas"):
        yield


def cpu_limit(cgroup: Path) -> int | None:
    """Return the cores of a container's CPU limit, rounded up, or None if there is no limit.

    The limit is on CPU time and hides no cores: a pod limited to 2 CPUs on a node with 64 cores
    sees all 64.

    Args:
        cgroup: mount point of the control group, version 1 or 2.
    """
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # there is no control group, or its limit is "max"
        return None
