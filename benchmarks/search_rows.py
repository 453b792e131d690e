"""Lines of a table of searches (`scripts/search_study.py table`), as records of the search."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchmarks.run_log import Row
from nasoa.offline.signal_columns import Column
from nasoa.records import ArchCosts, Evaluation

# Tables from before lines named their hardware were made by one thread on each of two cores.
UNRECORDED = "two CPU cores, one thread per network"


def on_an_idle_machine(rows: Sequence[Row]) -> list[Row]:
    """Replace the step times of random architectures and known blocks by those remeasured."""
    again = {
        (row["search"], row["encoding"]): row["step_time_ms"]
        for row in rows
        if row["kind"] == "remeasured"
    }
    return [
        {
            **row,
            "first_step_time_ms": row.get("step_time_ms"),
            "step_time_ms": again.get((row["search"], row["encoding"]), row.get("step_time_ms")),
        }
        if row["kind"] in ("random", "references")
        else row
        for row in rows
    ]


def hardware_in_words(rows: Iterable[Row]) -> str:
    """Return what the steps of some lines were measured on, and architectures trained."""
    keys = sorted({row.get("hardware", "") for row in rows})
    return " and ".join(_in_words(key) if key else UNRECORDED for key in keys)


def _in_words(key: str) -> str:
    """Return a `nasoa.training.hardware.hardware_key` in words."""
    if match := re.fullmatch(r"cpu-(.+)-(\d+)t-(\w+)", key):
        threads = "one thread" if match[2] == "1" else f"{match[2]} threads"
        return f"a CPU ({match[1]}, {match[3]}), {threads} per network"
    if match := re.fullmatch(r"cuda-(.+)-(\w+)", key):
        return f"a GPU ({match[1]}, {match[2]})"
    return key


def value(column: Column, row: Row) -> float:
    """Return a value of a line of the table whose architecture was trained."""
    found = column.value(evaluation(row))
    assert found is not None
    return found


def evaluation(row: Row) -> Evaluation:
    """Return a line of the table as the search's own record."""
    return Evaluation(
        encoding=row["encoding"],
        costs=ArchCosts(
            encoding=row["encoding"],
            resolution=64,
            batch_size=64,
            step_time_ms=row.get("step_time_ms", 0.0),
            inference_ms=row.get("inference_ms", 0.0),
            train_memory_bytes=row.get("train_memory_bytes", 0),
            macs=row.get("macs", 0),
            params=row.get("params", 0),
            activations=row.get("activations", 0),
            hardware=row.get("hardware", ""),
        ),
        accuracy=row["accuracy"],
        score=row.get("score"),
        failure=row["failure"],
        detail="",
        seed=row["seed"],
        curve=(),
        elapsed_s=row.get("elapsed_s", 0.0),
        hardware=row.get("hardware", ""),
        config_hash="",
        code_version="",
        created_at="",
    )
