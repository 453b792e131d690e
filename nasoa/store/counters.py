"""Counts of what happened to the store in this process, for operators."""

from __future__ import annotations

import threading
from collections import Counter

RETRIES = "retries"  # requests that were retried after a failure

_counts: Counter[str] = Counter()
_lock = threading.Lock()


def note(what: str, number: int = 1) -> None:
    """Add to a count, from any thread."""
    with _lock:
        _counts[what] += number


def count(what: str) -> int:
    """Return a count since this process started."""
    with _lock:
        return _counts[what]
