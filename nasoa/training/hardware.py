"""A short key that names the hardware on which times were measured."""

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
    """Like `cpu-amd-epyc-2t-bfloat16` or `cuda-nvidia-h100-bfloat16`: device, threads, format."""
    precision = best_precision()
    number_format = str(precision.autocast_dtype or torch.float32).removeprefix("torch.")
    if precision.device.type == "cuda":
        return _slug(f"cuda-{torch.cuda.get_device_name()}-{number_format}")
    return _slug(f"cpu-{_cpu_name()}-{torch.get_num_threads()}t-{number_format}")


def use_threads(threads: int = 0) -> None:
    """As many threads as this process may use cores: more only get into each other's way.

    `threads` takes fewer, where several processes share the cores. Freed memory is kept from here
    on (`nasoa.training.memory`).
    """
    torch.set_num_threads(threads or num_cores())
    keep_freed_memory()


@contextmanager
def using_threads(threads: int = 0) -> Iterator[None]:
    """As `use_threads`; in the block, NumPy's and SciPy's linear algebra uses as many as well."""
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
