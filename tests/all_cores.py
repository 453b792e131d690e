"""Programs that are not to share the core of a worker of pytest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """What is started inside may use all cores, not only that of this worker."""
    if not hasattr(os, "sched_setaffinity"):  # macOS: no worker is confined to one
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
