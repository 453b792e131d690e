"""The section of the page of results on first tasks, from `starter` and `against_plain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.plain_page import PLAIN
from benchmarks.results_files import machine_of, result, source, table
from benchmarks.starter_summary import leads
from benchmarks.table_version import records, records_today

NAME = "starter.json"
# Programs without a choice, in as many seconds of the wall clock.
PLAIN_ARMS = ("linear", "finetune")
MEAN = "**mean**"


def first_tasks() -> str:
    """Return the accuracies of first tasks, by how their regime was chosen."""
    found = result(NAME)
    runs = pd.DataFrame(found["runs"])
    ways = [way for way in found["rows"][0] if way not in ("task", "limit_s")]
    is_current = found["collected_records"] == records_today()
    seeds = len(found["rows"][0][ways[0]])
    return (
        "## First tasks\n\n"
        f"Test accuracy, means of {seeds} seeds, in a store that has learned "
        "nothing of these tasks, with limits on the step clock "
        f"({source(NAME)}, {machine_of(NAME)}, [what the columns are](starter.md)). The tasks were "
        f"looked at several times while nasoa was developed. {_state(found, is_current)}\n\n"
        + _table(found["rows"], ways, PLAIN_ARMS if is_current else ())
        + f"\nLead of `{ways[0]}`, mean over tasks, with a 90 % interval:\n\n"
        + _leads(leads(runs, ways[0], ways[1:]))
    )


def _state(found: Mapping[str, Any], is_current: bool) -> str:
    """Return what the figures can be compared with."""
    if is_current:
        return (
            "`linear` and `finetune` are the [plain programs](#beside-plain-programs), in as many "
            "seconds of the wall clock."
        )
    return (
        "**These figures are not those of the present package.** Its predictor had learned "
        f"{records(found['collected_records'])}, and the zoo was another one; so they show what "
        "experience added then, and are not comparable with other sections."
    )


def _table(rows: list[dict[str, Any]], ways: list[str], arms: tuple[str, ...]) -> str:
    """Return the accuracies of all ways and arms: for each limit the tasks, and their mean."""
    frame = pd.DataFrame(rows)
    frame[ways] = frame[ways].map(lambda by_seed: sum(by_seed) / len(by_seed))
    limits = result(PLAIN)["limits"]
    for arm in arms:
        frame[arm] = [
            limits.get(f"{row.limit_s:g}", {"accuracy": {}})["accuracy"]
            .get(f"{row.task}.zip", {})
            .get(arm)
            for row in frame.itertuples()
        ]
    columns = [*ways, *arms]
    lines = []
    for limit_s, own in frame.groupby("limit_s"):
        accuracies = own.set_index("task")[columns].astype(float)
        # The mean of a column in which a task is missing would be that of other tasks.
        accuracies.loc[MEAN] = accuracies.mean(skipna=False)
        lines += [
            [f"{limit_s:g} s", name, *map(_cell, values)] for name, values in accuracies.iterrows()
        ]
    return table(["limit", "task", *columns], lines)


def _leads(found: dict[str, dict[str, Any]]) -> str:
    limits = list(next(iter(found.values())))
    lines = [[way, *(_lead(own[limit]) for limit in limits)] for way, own in found.items()]
    return table(["over", *limits], lines)


def _lead(own: Mapping[str, Any]) -> str:
    interval = own["interval_90"]
    between = f" ({interval[0]:+.3f} to {interval[1]:+.3f})" if interval else ""
    return f"{own['mean']:+.3f}{between}"


def _cell(accuracy: float) -> str:
    return "" if pd.isna(accuracy) else f"{accuracy:.3f}"
