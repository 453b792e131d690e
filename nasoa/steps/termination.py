"""Release what a process holds when it receives SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGTERM_EXIT_CODE = 128 + signal.SIGTERM


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """On SIGTERM, exit as `sys.exit` does, so that claims are released for waiting workers.

    Kubernetes sends SIGTERM when a node is drained or a pod is preempted, half a minute before it
    kills the pod. Outside the main thread, where signals cannot be handled, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_signal: object) -> None:
        sys.stderr.write("terminated by SIGTERM; the next attempt continues from the checkpoint\n")
        sys.exit(SIGTERM_EXIT_CODE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
