"""Freed memory stays in the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Prints the number of page faults when 36 MiB are allocated and freed ten times, after a warm-up
# that replaces the few blocks that small objects have split.
FAULTS = """
import resource
import torch
from nasoa.training.memory import keep_freed_memory
assert {keep} is False or keep_freed_memory()
for _ in range(20):
    torch.ones(9 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(9 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    code = FAULTS.format(keep=keep)
    return int(subprocess.check_output([sys.executable, "-c", code], text=True))


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is glibc's")
def test_large_blocks_are_not_mapped_anew() -> None:
    assert faults(keep=True) < faults(keep=False) / 5
