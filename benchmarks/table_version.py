"""Which version of the package's table of collected runs a result was measured on."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import pandas as pd

from nasoa.online.collecting.starter import TABLE

COLLECTED = TABLE.stem


def digest(path: Path) -> str:
    """Return the SHA-256 of a table's file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def records_today() -> int:
    """Return the number of records of the package's table."""
    return len(pd.read_parquet(TABLE, columns=["accuracy"]))


def records(count: int, sha256: str | None = None) -> str:
    """Return how many records a result is of, and today's number if the table has changed since.

    Args:
        count: number of records of the table that was used.
        sha256: its digest; None for results that do not have it, for which the number decides.
    """
    text = f"{count:,} records"
    if count != records_today():
        return f"{text}, where today's table has {records_today():,}"
    if sha256 and sha256 != digest(TABLE):
        return f"{text} of an earlier version of the table"
    return text
