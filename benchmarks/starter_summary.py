"""Accuracies of first tasks and leads between the ways to choose their regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.paired_summary import bootstrap_interval, means_of_sources

KEY = ["task", "limit_s", "seed"]


def accuracies(runs: pd.DataFrame, ways: list[str]) -> list[dict[str, object]]:
    """Return for each task and limit that all ways have run their accuracies, one for each seed.

    Args:
        runs: runs with `task`, `limit_s`, `seed`, `way` and `accuracy`.
        ways: the ways, in order.
    """
    by_way = runs.sort_values("seed").groupby(["task", "limit_s", "way"], sort=False)["accuracy"]
    table = by_way.agg(list).unstack("way")[ways].dropna()
    rows: list[dict[str, object]] = table.sort_index().reset_index().to_dict("records")
    return rows


def leads(runs: pd.DataFrame, way: str, others: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return a way's lead by other way and limit: mean over tasks, and its 90 % interval.

    Args:
        runs: runs with `task`, `limit_s`, `seed`, `way` and `accuracy`.
        way: the way that leads, or not.
        others: those that it is compared with, on the same tasks, limits and seeds.
    """
    by_way = runs.pivot(index=KEY, columns="way", values="accuracy")
    found: dict[str, dict[str, Any]] = {}
    for other in others:
        lead = (by_way[way] - by_way[other]).dropna()
        limits = {f"{limit_s:g} s": own for limit_s, own in lead.groupby("limit_s")}
        parts = {"all limits": lead, **limits}
        found[other] = {
            name: _mean(part)
            for name, part in parts.items()
            if part.index.get_level_values("task").nunique() > 1
        }
    return found


def _mean(lead: pd.Series) -> Mapping[str, Any]:
    means = lead.groupby("task").mean()
    interval = bootstrap_interval(means_of_sources(means))
    return {
        "mean": round(float(means.mean()), 4),
        "interval_90": [round(end, 4) for end in interval] if interval else None,
        "runs": len(lead),
    }
