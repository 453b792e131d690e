"""A short key that names the hardware on which times were measured."""

from __future__ import annotations

import ctypes
import platform
import re
from functools import cache
from pathlib import Path

import torch

from nasoa.cores import num_cores
from nasoa.training.precision import best_precision

# mallopt(3): blocks from this size on are asked of the system one by one; what is free at the top
# of the heap is kept up to that size.
M_TRIM_THRESHOLD, MOST_KEPT_BYTES = -1, 2**31 - 1
M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES = -3, 2**30


def hardware_key() -> str:
    """Like `cpu-amd-epyc-2t-bfloat16` or `cuda-nvidia-h100-bfloat16`: device, threads, format."""
    precision = best_precision()
    number_format = str(precision.autocast_dtype or torch.float32).removeprefix("torch.")
    if precision.device.type == "cuda":
        return _slug(f"cuda-{torch.cuda.get_device_name()}-{number_format}")
    return _slug(f"cpu-{_cpu_name()}-{torch.get_num_threads()}t-{number_format}")


def use_threads(threads: int = 0) -> None:
    """As many threads as this process may use cores: more only get into each other's way.

    `threads` takes fewer, where several processes share the cores. Freed memory is kept for the
    next batch from here on (`keep_memory`).
    """
    torch.set_num_threads(threads or num_cores())
    keep_memory()


@cache
def keep_memory() -> None:
    """Have the C library keep large freed blocks, where it is glibc.

    By default it returns each feature map of a batch to the system and asks for the next, and the
    kernel clears every page of it anew: of EfficientNet-Lite0 at 128 px, batch 64, that was more
    than half the time (16.4 ms an image beside 14.9 ms of computing, on one thread).
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, MOST_KEPT_BYTES)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if match:
            return match.group(1)
    return platform.processor() or platform.machine()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
