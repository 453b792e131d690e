"""Measurements of one process wait until the others on the machine pause, which then wait for them.

A training beside a measurement makes it longer. This holds for all processes of a user that call
these functions, whatever they compute.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def working() -> Iterator[None]:
    """Compute in this block beside other blocks of `working`, but not beside `measuring`."""
    with ExitStack() as stack:
        # A process that waits to measure holds the queue, so that no new work begins before.
        with _locked("queue", fcntl.LOCK_EX):
            stack.enter_context(_locked("work", fcntl.LOCK_SH))
        yield


@contextmanager
def measuring() -> Iterator[None]:
    """Measure in this block while no other process is in one of these blocks."""
    with _locked("queue", fcntl.LOCK_EX), _locked("work", fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(name: str, kind: int) -> Iterator[None]:
    path = Path(tempfile.gettempdir(), f"nasoa-benchmarks-{os.getuid()}-{name}.lock")
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield
