"""What happened to the store in this process, as numbers for whoever operates it."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType
from typing import Any

import urllib3
from urllib3.util.retry import Retry

RETRIES = "retries"  # requests that were sent again after a failure
QUARANTINED = "quarantined"  # objects that could not be used and were set aside

_counts: Counter[str] = Counter()
_lock = threading.Lock()


def note(what: str, number: int = 1) -> None:
    """Count something that happened, from any thread."""
    with _lock:
        _counts[what] += number


def count(what: str) -> int:
    """How often it happened since this process began."""
    with _lock:
        return _counts[what]


class CountedRetry(Retry):
    """Retries of urllib3, counted."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> CountedRetry:
        """See `urllib3.Retry`; raises where no try is left."""
        again = super().increment(method, url, response, error, _pool, _stacktrace)
        note(RETRIES)
        return again
