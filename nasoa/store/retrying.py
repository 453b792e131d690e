"""A store that retries failed requests for a while, for steps that run unattended.

A cluster may restart its store, and a step that has trained for an hour must not fail because of
it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nasoa.errors import StoreFailed
from nasoa.store import counters
from nasoa.store.protocol import ArtifactStore, ObjectStat

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


class PatientStore:
    """A wrapper of a store that retries each request for a while after `StoreFailed`.

    Args:
        store: the store that is wrapped.
        patience_s: seconds for which a failing request is retried before the error is raised.
        sleep: waits for the given number of seconds.
        now: clock in seconds.
    """

    def __init__(
        self,
        store: ArtifactStore,
        patience_s: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._patience_s = patience_s
        self._sleep = sleep
        self._now = now

    @property
    def uri(self) -> str:
        """See `ArtifactStore.uri`."""
        return self._store.uri

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        return self._tried(lambda: self._store.get(key))

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`."""
        self._tried(lambda: self._store.put(key, data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `ArtifactStore.put_if_absent`.

        A failed attempt may have written the object. So after a failed attempt, and only then, an
        object with equal content counts as written by this call.
        """
        tries = 0

        def put() -> bool:
            nonlocal tries
            tries += 1
            return self._store.put_if_absent(key, data) or (
                tries > 1 and self._store.get(key) == data
            )

        return self._tried(put)

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """See `ArtifactStore.list`."""
        return self._tried(lambda: self._store.list(prefix, after))

    def download(self, key: str, path: Path) -> None:
        """See `ArtifactStore.download`."""
        self._tried(lambda: self._store.download(key, path))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """See `ArtifactStore.sizes`."""
        return self._tried(lambda: self._store.sizes(prefix))

    def etags(self, prefix: str = "") -> dict[str, str]:
        """See `ArtifactStore.etags`."""
        return self._tried(lambda: self._store.etags(prefix))

    def stat(self, key: str) -> ObjectStat:
        """See `ArtifactStore.stat`."""
        return self._tried(lambda: self._store.stat(key))

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        self._tried(lambda: self._store.delete(key))

    def _tried(self, request: Callable[[], T]) -> T:
        """Return the request's result; retry with pauses that double and have random jitter."""
        began, pause_s = self._now(), FIRST_PAUSE_S
        while True:
            try:
                return request()
            except StoreFailed as error:
                left_s = began + self._patience_s - self._now()
                if left_s <= 0:
                    raise
                wait_s = min(pause_s * random.uniform(0.5, 1.0), left_s)
                logger.warning("%s; trying again in %.1f s", error, wait_s)
            counters.note(counters.RETRIES)
            self._sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
