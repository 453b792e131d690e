"""The hardware: a key for measured times, and the number of threads."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from nasoa.cores import blas_threads, num_cores
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import best_precision


def hardware_key() -> str:
    """Return a key for the hardware that times are measured on.

    It names the device, on a CPU the number of threads, and the number format:
    `cpu-amd-epyc-2t-bfloat16`, `cuda-nvidia-h100-bfloat16`.
    """
    precision = best_precision()
    number_format = str(precision.autocast_dtype or torch.float32).removeprefix("torch.")
    if precision.device.type == "cuda":
        return _slug(f"cuda-{torch.cuda.get_device_name()}-{number_format}")
    return _slug(f"cpu-{_cpu_name()}-{torch.get_num_threads()}t-{number_format}")


def use_threads(threads: int = 0) -> None:
    """Set the number of torch's threads, and keep freed memory (`nasoa.training.memory`).

    Args:
        threads: number of threads, for processes that share the cores; 0 for one per core that this
            process may use.
    """
    torch.set_num_threads(threads or num_cores())
    keep_freed_memory()


@contextmanager
def using_threads(threads: int = 0) -> Iterator[None]:
    """Call `use_threads`; NumPy and SciPy use as many threads for linear algebra in the block."""
    use_threads(threads)
    with blas_threads(threads or num_cores()):
        yield


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if match:
            return match.group(1)
    return platform.processor() or platform.machine()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
