"""The files of results as text: their content, links to them, and tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.machine import RESULTS


def is_measured(name: str) -> bool:
    """Return whether a file of results exists."""
    return (RESULTS / name).exists()


def result(name: str) -> Any:
    """Return the content of a file of results."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def source(name: str) -> str:
    """Return a link to a file of results."""
    return f"[{name}](../benchmarks/results/{name})"


def machine_of(name: str) -> str:
    """Return the machine that a file of results names."""
    return machine_text(result(name)["machine"])


def machine_text(machine: dict[str, Any]) -> str:
    """Return the processor, or the GPU, and the cores of a machine."""
    return f"{machine.get('gpu') or machine['cpu']}, {machine['cores']} cores"
