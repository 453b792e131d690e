"""A short key that names the hardware on which times were measured."""

from __future__ import annotations

import math
import platform
import re
from pathlib import Path

import torch

from nasoa.data.dataset import num_cores
from nasoa.training.precision import best_precision

# Inside a container, this is the container's own group.
CGROUP = Path("/sys/fs/cgroup")


def hardware_key() -> str:
    """Like `cpu-amd-epyc-2t-bfloat16` or `cuda-nvidia-h100-bfloat16`: device, threads, format."""
    precision = best_precision()
    number_format = str(precision.autocast_dtype or torch.float32).removeprefix("torch.")
    if precision.device.type == "cuda":
        return _slug(f"cuda-{torch.cuda.get_device_name()}-{number_format}")
    return _slug(f"cpu-{_cpu_name()}-{torch.get_num_threads()}t-{number_format}")


def use_threads(threads: int = 0) -> None:
    """As many threads as this process may use cores: more only get into each other's way.

    `threads` takes fewer, where several processes share the cores.
    """
    cores = num_cores()
    torch.set_num_threads(threads or min(cores, cpu_limit(CGROUP) or cores))


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


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if match:
            return match.group(1)
    return platform.processor() or platform.machine()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
