"""Measure how long a store takes to write, in the background at the start of a task."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress

from nasoa.errors import NasoaError
from nasoa.steps.out_folder import write_and_remove
from nasoa.store import ArtifactStore

PROBE_BYTES = 256 * 1024


class StoreSpeed:
    """Writes and removes a small and a large object in a thread, and measures the time.

    Args:
        store: the store to measure.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._began_s = time.monotonic()
        self._small_s: float | None = None
        self._large_s: float | None = None
        self._is_over = threading.Event()
        threading.Thread(target=self._measure, name="store-speed", daemon=True).start()

    def seconds(self, num_bytes: int) -> float:
        """Estimate the seconds that writing an object of the given size takes.

        While the measurement is running, the estimate is based on the time that it has taken so
        far. It is 0 if the store could not be written; the next write then raises the error.
        """
        pieces = num_bytes / PROBE_BYTES
        if self._is_over.is_set() and self._large_s is None:
            return 0.0
        if self._large_s is not None and self._small_s is not None:
            return self._small_s + pieces * max(self._large_s - self._small_s, 0.0)
        waited_s = time.monotonic() - self._began_s
        if self._small_s is None:
            return waited_s
        return self._small_s + pieces * max(waited_s - 2 * self._small_s, 0.0)

    def wait(self, most_s: float) -> None:
        """Wait until the measurement has ended, for at most the given number of seconds."""
        self._is_over.wait(most_s)

    def _measure(self) -> None:
        with suppress(NasoaError, OSError):
            self._small_s = self._written_s(b"x")
            self._large_s = self._written_s(secrets.token_bytes(PROBE_BYTES))
        self._is_over.set()

    def _written_s(self, content: bytes) -> float:
        started = time.monotonic()
        write_and_remove(self._store, content)
        return time.monotonic() - started
