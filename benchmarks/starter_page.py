"""The section of the page of results on first tasks, from `starter` and `against_plain`."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.plain_page import PLAIN
from benchmarks.results_files import machine_of, result, source, table

NAME = "starter.json"
# Programs without a choice, in as many seconds of the wall clock.
PLAIN_ARMS = ("linear", "finetune")


def first_tasks() -> str:
    """Return the accuracies of first tasks, by how their regime was chosen."""
    rows = result(NAME)["rows"]
    ways = [way for way in rows[0] if way not in ("task", "limit_s")]
    return (
        "## First tasks\n\n"
        f"Test accuracy, means of {len(rows[0][ways[0]])} seeds, in a store that has learned "
        "nothing of these tasks, with limits on the step clock "
        f"({source(NAME)}, {machine_of(NAME)}, [what the columns are](starter.md)). The tasks were "
        "looked at several times while nasoa was developed. `linear` and `finetune` are the "
        "[plain programs](#beside-plain-programs), in as many seconds of the wall clock.\n\n"
        + table(["limit", "task", *ways, *PLAIN_ARMS], _lines(rows, ways))
        + f"\nLead of `{ways[0]}`, mean over tasks (standard error):\n\n"
        + _leads(result(NAME)["starter_less_others"])
    )


def _lines(rows: list[dict[str, Any]], ways: list[str]) -> list[list[str]]:
    """Return the rows of the table: for each limit the tasks, and their mean."""
    lines = []
    for limit in sorted({row["limit_s"] for row in rows}):
        own = [row for row in rows if row["limit_s"] == limit]
        found = [
            [*(statistics.fmean(row[way]) for way in ways), *_plain(row["task"], limit)]
            for row in own
        ]
        means = [
            statistics.fmean(column) if None not in column else None
            for column in zip(*found, strict=True)
        ]
        names = [row["task"] for row in own]
        for name, cells in zip([*names, "**mean**"], [*found, means], strict=True):
            lines.append([f"{limit:g} s", name, *map(_cell, cells)])
    return lines


def _plain(task: str, limit_s: float) -> list[float | None]:
    """Return the accuracies of the plain programs, None for those that were not run."""
    found = result(PLAIN)["limits"].get(f"{limit_s:g}", {"accuracy": {}})["accuracy"]
    return [found.get(f"{task}.zip", {}).get(arm) for arm in PLAIN_ARMS]


def _leads(found: dict[str, dict[str, dict[str, float]]]) -> str:
    limits = list(next(iter(found.values())))
    lines = [
        [
            way,
            *(
                f"{own[limit]['mean']:+.3f} ({own[limit]['standard_error']:.3f})"
                for limit in limits
            ),
        ]
        for way, own in found.items()
    ]
    return table(["over", *limits], lines)


def _cell(accuracy: float | None) -> str:
    return "" if accuracy is None else f"{accuracy:.3f}"
