"""Parse durations, and report time limits that are too short."""

from __future__ import annotations

import math
import re

from nasoa.errors import TimeLimitError

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def parse_duration(text: str | float) -> float:
    """Return the seconds of a duration like `45`, `45s`, `1.5m` or `1h30m`.

    Raises:
        TimeLimitError: `text` is not a duration, or not above zero.
    """
    plain = str(text).strip().lower()
    seconds, at = 0.0, 0
    for part in _PART.finditer(plain):
        unit = part[2] or "s"
        if part.start() != at or unit not in _UNITS:
            break
        seconds += float(part[1]) * _UNITS[unit]
        at = part.end()
    if not plain or at != len(plain):
        if re.fullmatch(r"-\s*\d.*", plain):
            raise TimeLimitError(f"expected a time limit above zero, got {text!r}")
        raise TimeLimitError(f"expected a time limit like 45s, 10m or 1h30m, got {str(text)!r}")
    if seconds <= 0 or not math.isfinite(seconds):
        raise TimeLimitError(f"expected a time limit above zero, got {text!r}")
    return seconds


def too_short(shortest_s: float, limit_s: float, because: str = "") -> TimeLimitError:
    """Return the error for a time limit that is too short.

    Args:
        shortest_s: shortest limit that is known to be needed, in seconds; if it is not above the
            limit, all that is known is that the limit is too short.
        limit_s: the limit in seconds.
        because: the reason, worded to follow a comma.
    """
    if shortest_s > limit_s:
        expected = f"at least {math.ceil(10 * shortest_s) / 10:.1f} s"
    else:
        expected = f"more than {limit_s:.1f} s"
    reason = f", {because}" if because else ""
    return TimeLimitError(
        f"expected a time limit of {expected} for this data on this machine, got {limit_s:.1f} s"
        f"{reason}; raise --time-limit or use fewer images"
    )
