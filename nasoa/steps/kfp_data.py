"""The data copying step, as its component calls it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasoa.steps import fetch_data as fetching


def fetch_data(data: str, data_sets: Sequence[str], summary_path: str) -> int:
    """Copy data sets into the shared cache, and return how many were copied.

    Args:
        data: DATA of one data set; empty for none.
        data_sets: DATA of further data sets.
        summary_path: file for a Markdown list of the copies.
    """
    copies = fetching.fetch_data([*filter(None, [data]), *data_sets])
    lines = [f"- {one}: `{path}`" for one, path in copies.items()] or ["Nothing to copy."]
    Path(summary_path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(copies)
