"""Count the retries of requests to an object store."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import urllib3
from urllib3.util.retry import Retry

from nasoa.store.counters import RETRIES, note


class CountedRetry(Retry):
    """A `Retry` of urllib3 that counts its retries."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> CountedRetry:
        """See `urllib3.Retry`; raises if no retry is left."""
        again = super().increment(method, url, response, error, _pool, _stacktrace)
        note(RETRIES)
        return again
