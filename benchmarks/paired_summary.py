"""Means of several arms over data sets, and one arm's lead over the best of the others."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student_t

RESAMPLES = 10_000
LEVEL = 0.9

# Data set -> arm -> accuracy.
Table = dict[str, dict[str, float]]


def accuracies(rows: Iterable[Mapping[str, Any]], limit_s: float, arms: Sequence[str]) -> Table:
    """Return every arm's mean accuracy over seeds, for data sets where all have the same seeds.

    Args:
        rows: runs with `data`, `limit_s`, `seed`, `arm` and `accuracy`.
        limit_s: time limit in seconds of the runs to use.
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
    """Return an arm's lead over the best other by mean, and over the best other on each data set.

    The interval of the mean is over sources of images, as data sets of one are not independent.

    Args:
        table: from `accuracies`, with at least one data set.
        arm: the arm whose lead is computed.
        others: the arms that it is compared with.
    """
    means = {name: statistics.fmean(row[name] for row in table.values()) for name in (arm, *others)}
    best = max(others, key=means.__getitem__)
    leads = {data: row[arm] - row[best] for data, row in table.items()}
    sources: dict[str, list[float]] = defaultdict(list)
    for data, lead in leads.items():
        sources[source_of(data)].append(lead)
    return {
        "data_sets": len(table),
        "sources": len(sources),
        "mean_accuracy": means,
        "best_other": best,
        "lead_over_best_other": statistics.fmean(leads.values()),
        "interval_90": bootstrap_interval([statistics.fmean(own) for own in sources.values()]),
        "lead_by_data_set": {
            data: {
                "over": (best_here := max(others, key=row.__getitem__)),
                "lead": row[arm] - row[best_here],
            }
            for data, row in table.items()
        },
    }


def source_of(data: str) -> str:
    """Return where the images of a data set are from: NAME_224 are those of NAME, at real size."""
    return Path(data).stem.removesuffix("_224")


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 90 % percentile interval of the mean by resampling; None for fewer than two."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(values), (RESAMPLES, len(values)))
    low, high = np.quantile(drawn.mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def student_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values and its 95 % interval by Student's t; infinite for one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return mean, mean - half, mean + half
