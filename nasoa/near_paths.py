"""Suggest existing paths for one that does not exist."""

from __future__ import annotations

import difflib
import os
from itertools import islice
from pathlib import Path

MOST_SIBLINGS = 5000  # that are compared
MOST_NEAR = 3


def near_paths(path: Path) -> list[str]:
    """Return existing paths like a missing one, best first.

    They differ in the first part of the path that does not exist: for `photo/train`, `photos/train`
    is suggested if it exists, else `photos`.
    """
    missing = path
    while not os.path.lexists(missing.parent) and missing.parent != missing:
        missing = missing.parent
    rest = path.relative_to(missing)
    try:
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, MOST_SIBLINGS)]
    except OSError:
        return []
    lower = {name.lower(): name for name in sorted(names)}
    found = difflib.get_close_matches(missing.name.lower(), lower, n=MOST_NEAR, cutoff=0.6)
    near = [missing.parent / lower[name] for name in found]
    return [str(one / rest if os.path.lexists(one / rest) else one) for one in near]


def did_you_mean(path: Path) -> str:
    """Return the question whether a missing path is meant to be another one; "" if none is near."""
    near = near_paths(path)
    return f"did you mean {' or '.join(near)}? " if near else ""
