"""What happened to the store in this process, as numbers for whoever operates it."""

from __future__ import annotations

import threading
from collections import Counter

RETRIES = "retries"  # requests that were sent again after a failure

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
