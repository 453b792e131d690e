"""Means of several arms over data sets, and how far one is ahead of the best of the others."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.9

# Data set -> arm -> accuracy.
Table = dict[str, dict[str, float]]


def accuracies(rows: Iterable[Mapping[str, Any]], limit_s: float, arms: Sequence[str]) -> Table:
    """Mean accuracy over seeds of every arm, for data sets on which all arms have the same seeds.

    Args:
        rows: runs with `data`, `limit_s`, `seed`, `arm` and `accuracy`.
        limit_s: only runs with this limit.
        arms: the arms that are compared.
    """
    found: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["limit_s"] == limit_s and row["arm"] in arms:
            found[row["data"]][row["arm"]][row["seed"]] = row["accuracy"]
    return {
        data: {arm: statistics.fmean(by_arm[arm].values()) for arm in arms}
        for data, by_arm in sorted(found.items())
        if len({frozenset(by_arm[arm]) for arm in arms}) == 1
    }


def compare(table: Table, arm: str, others: Sequence[str]) -> dict[str, Any]:
    """How far an arm is ahead of the best other by mean, and of the best other on each data set.

    Args:
        table: from `accuracies`, with at least one data set.
        arm: the arm in question.
        others: the arms that it is compared with.
    """
    means = {name: statistics.fmean(row[name] for row in table.values()) for name in (arm, *others)}
    best = max(others, key=means.__getitem__)
    leads = {data: row[arm] - row[best] for data, row in table.items()}
    return {
        "data_sets": len(table),
        "mean_accuracy": means,
        "best_other": best,
        "lead_over_best_other": statistics.fmean(leads.values()),
        "interval_90": bootstrap_interval(list(leads.values())),
        "lead_by_data_set": {
            data: {
                "over": (best_here := max(others, key=row.__getitem__)),
                "lead": row[arm] - row[best_here],
            }
            for data, row in table.items()
        },
    }


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 90 % percentile interval of the mean, resampling the values; None for fewer than two."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(values), (RESAMPLES, len(values)))
    low, high = np.quantile(drawn.mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
