"""Means of several arms over data sets, and one arm's lead over the best of the others.

pandas is imported where it is used: the arms of `against_plain` import this module within their
time limit.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student_t

if TYPE_CHECKING:
    import pandas as pd

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
    import pandas as pd  # noqa: PLC0415

    runs = pd.DataFrame([*rows], columns=["data", "limit_s", "seed", "arm", "accuracy"])
    runs = runs[(runs["limit_s"] == limit_s) & runs["arm"].isin(arms)]
    if runs.empty:
        return {}
    by_arm = runs.pivot_table(
        index=["data", "seed"], columns="arm", values="accuracy", aggfunc="last"
    ).reindex(columns=list(arms))
    has_all = by_arm.notna().all(axis="columns").groupby("data").transform("all")
    table: Table = by_arm[has_all].groupby("data").mean().to_dict("index")
    return table


def compare(table: Table, arm: str, others: Sequence[str]) -> dict[str, Any]:
    """Return an arm's lead over the best other by mean, and over the best other on each data set.

    The interval of the mean is over sources of images, as data sets of one are not independent.

    Args:
        table: from `accuracies`, with at least one data set.
        arm: the arm whose lead is computed.
        others: the arms that it is compared with.
    """
    import pandas as pd  # noqa: PLC0415

    by_data = pd.DataFrame.from_dict(table, orient="index")[[arm, *others]]
    theirs = by_data[list(others)]
    best = theirs.mean().idxmax()
    leads = by_data[arm] - by_data[best]
    by_source = means_of_sources(leads)
    here = pd.DataFrame(
        {"over": theirs.idxmax(axis="columns"), "lead": by_data[arm] - theirs.max(axis="columns")}
    )
    return {
        "data_sets": len(by_data),
        "sources": len(by_source),
        "mean_accuracy": by_data.mean().to_dict(),
        "best_other": best,
        "lead_over_best_other": float(leads.mean()),
        "interval_90": bootstrap_interval(by_source),
        "lead_by_data_set": here.to_dict("index"),
    }


def means_of_sources(leads: pd.Series) -> list[float]:
    """Return the means over data sets of the same images, in order of their first data set.

    Args:
        leads: a value for each data set, by its name.
    """
    means: list[float] = leads.groupby(source_of, sort=False).mean().to_list()
    return means


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
