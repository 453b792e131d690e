"""The copying of data sets as a component calls it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasoa.steps import fetch_data as fetching


def fetch_data(data: str, data_sets: Sequence[str], summary_path: str) -> int:
    """Copy one data set, or several, into the shared cache; writes in Markdown where they are.

    Args:
        data: DATA; empty for none.
        data_sets: further ones.
        summary_path: where the summary goes.
    """
    copies = fetching.fetch_data([*filter(None, [data]), *data_sets])
    lines = [f"- {one}: `{path}`" for one, path in copies.items()] or ["Nothing to copy."]
    Path(summary_path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(copies)
