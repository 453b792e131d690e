"""Accuracies of all methods at their budgets, and the cost at which each reaches nasoa's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.paired_summary import bootstrap_interval, means_of_sources

BASE = "nasoa"
KINDS = (BASE, "paper", "zoo", "average", "series", "default", "random", "bohb", "tpe")
CELL = ["limit", "data", "seed"]
RUN = [*CELL, "method"]
# A fine-tune may end a little after its limit. Methods that train once count in any case, so a
# search may exceed its budget by a hundredth: at once the limit, its first fine-tune counts too.
SLACK = 0.01
ROUNDING = 1e-9

Row = Mapping[str, Any]


def frame_of(rows: Iterable[Row], series: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the finished fine-tunes, with what a user of each series at its defaults would run.

    `default:NAME` of a series tries its models one after another, `default:all` those of all. Of
    both there is an upper bound, which knows the test accuracies, as Figure 6 has it.

    Args:
        rows: runs of the log.
        series: models by series.
    """
    fields = [*RUN, "number", "limit_s", "val_accuracy", "accuracy", "elapsed_s"]
    frame = pd.DataFrame([row for row in rows if row["fits"]], columns=[*fields])
    groups = {**series, "all": [model for models in series.values() for model in models]}
    parts = [frame[~frame["method"].str.startswith("default:")]]
    for name, models in groups.items():
        methods = [f"default:{model}" for model in models]
        tried = frame[frame["method"].isin(methods)]
        if len(tried):
            parts += _of_series(tried, name, methods)
    return pd.concat(parts, ignore_index=True)


def _of_series(tried: pd.DataFrame, name: str, methods: Sequence[str]) -> list[pd.DataFrame]:
    order = tried["method"].map(methods.index)
    chosen = tried.assign(method=f"default:{name}", number=order)
    if tried["method"].nunique() < 2:
        return [chosen]
    bound = chosen.groupby([*RUN, "limit_s"], as_index=False).agg(
        number=("number", "min"),
        val_accuracy=("accuracy", "max"),
        accuracy=("accuracy", "max"),
        elapsed_s=("elapsed_s", "sum"),
    )
    return [chosen, bound.assign(method=f"default:{name} (upper bound)")]


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Return for every fine-tune the cost up to its end and the accuracy that is then held.

    `multiple` is the cost over the limit, `accuracy` the test accuracy of the fine-tune that
    validation prefers so far.
    """
    frame = frame.sort_values([*RUN, "number"], ignore_index=True)
    runs = frame.groupby(RUN, sort=False)
    best = runs["val_accuracy"].cummax()
    before = best.groupby([frame[name] for name in RUN], sort=False).shift(1, fill_value=-1.0)
    held = frame["accuracy"].where(frame["val_accuracy"] > before)
    return frame.assign(
        multiple=runs["elapsed_s"].cumsum() / frame["limit_s"],
        accuracy=held.groupby([frame[name] for name in RUN], sort=False).ffill(),
    )


def at_budgets(curve: pd.DataFrame, multiples: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return one row per run and budget: what is held when it is spent.

    Args:
        curve: from `curves`.
        multiples: budgets by the part of a search's name before the colon; methods that are not
            in it have none, and count as a whole with a `budget` of NaN.
    """
    kinds = curve["method"].str.partition(":")[0]
    parts = [curve[~kinds.isin(list(multiples))].assign(budget=math.nan)]
    for kind, budgets in multiples.items():
        own = curve[kinds == kind]
        parts += [within(own, budget).assign(budget=budget) for budget in budgets]
    return (
        pd.concat(parts, ignore_index=True)
        .groupby([*RUN, "budget"], dropna=False, as_index=False, sort=False)
        .last()
    )


def within(curve: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return the fine-tunes that end within a budget, of the searches that have spent it.

    A search that has tried all of its space counts as unfinished, but spaces are far larger than
    budgets.
    """
    spent = curve.groupby(RUN)["multiple"].transform("max")
    return curve[(curve["multiple"] <= budget * (1 + SLACK)) & (spent >= budget - ROUNDING)]


def unfinished(
    rows: Iterable[Row],
    series: Mapping[str, Sequence[str]],
    multiples: Mapping[str, Sequence[float]],
) -> list[dict[str, Any]]:
    """Return the searches that have not spent their largest budget, and what they have spent.

    Args:
        rows: runs of the log.
        series: models by series.
        multiples: as in `at_budgets`.
    """
    spent = curves(frame_of(rows, series)).groupby(RUN, as_index=False)["multiple"].max()
    kinds = spent["method"].str.partition(":")[0]
    budget = kinds.map({kind: max(budgets) for kind, budgets in multiples.items()})
    found: list[dict[str, Any]] = (
        spent.assign(budget=budget)
        .loc[spent["multiple"] < budget - ROUNDING]
        .rename(columns={"multiple": "spent"})
        .round({"spent": 4})
        .to_dict("records")
    )
    return found


def summarise(
    rows: Iterable[Row],
    series: Mapping[str, Sequence[str]],
    multiples: Mapping[str, Sequence[float]],
) -> list[dict[str, Any]]:
    """Return one record per limit, method and budget.

    Args:
        rows: runs of the log.
        series: models by series.
        multiples: as in `at_budgets`.
    """
    curve = curves(frame_of(rows, series))
    held = at_budgets(curve, multiples)
    records = []
    for (limit, method, budget), own in held.groupby(
        ["limit", "method", "budget"], dropna=False, sort=False
    ):
        of_limit = held[held["limit"] == limit]
        record = {
            "limit": limit,
            "method": method,
            "budget": None if math.isnan(budget) else budget,
            **_accuracies(own, of_limit[of_limit["method"] == BASE]),
        }
        if method != BASE:
            here = curve[curve["limit"] == limit]
            record["reaches_nasoa"] = reach(here, str(method), budget)
        records.append(record)
    return sorted(records, key=_place)


def _place(record: Mapping[str, Any]) -> tuple[str, int, str, float]:
    """Return what records are sorted by: methods in the order of the package's docstring."""
    kind = record["method"].partition(":")[0]
    return record["limit"], KINDS.index(kind), record["method"], record["budget"] or 0.0


def _accuracies(own: pd.DataFrame, base: pd.DataFrame) -> dict[str, Any]:
    """Return means and spreads of a method, and how far nasoa is ahead on the same runs.

    They are over the data sets on which the method and nasoa have all seeds of nasoa, so that what
    a method cannot do, or has not done yet, does not make its mean the easier one.
    """
    table = _by_seed(own)
    of_base = _by_seed(base).dropna() if len(base) else table.dropna()
    whole = table.reindex(index=of_base.index, columns=of_base.columns).dropna()
    leads = (
        (of_base.loc[whole.index] - whole).mean(axis="columns")
        if len(base)
        else pd.Series(dtype=float)
    )
    interval = bootstrap_interval(means_of_sources(leads))
    return {
        "cost": _rounded(own.loc[own["data"].isin(whole.index), "multiple"].mean()),
        "data": {
            str(name): {
                "mean": _rounded(values.mean()),
                "std": _rounded(values.std()),
                "seeds": int(values.count()),
            }
            for name, values in table.iterrows()
        },
        "data_sets": len(whole),
        "of_data_sets": len(of_base),
        "mean": _rounded(whole.to_numpy().mean()) if len(whole) else None,
        "std_over_seeds": _rounded(whole.mean().std()),
        "nasoa_ahead_by": _rounded(leads.mean()),
        "nasoa_ahead_interval_90": [_rounded(end) for end in interval] if interval else None,
    }


def _by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.pivot(index="data", columns="seed", values="accuracy")


def reach(curve: pd.DataFrame, method: str, budget: float = math.nan) -> dict[str, Any]:
    """Return the cost at which a method has nasoa's mean accuracy, and nasoa's ratio to it.

    Means are over seeds, for each data set and over all data sets where both methods have the same
    seeds. A cost is in limits; None if nasoa's accuracy was not reached.

    Args:
        curve: from `curves`, of one limit.
        method: the other method.
        budget: the cost up to which it is looked at; NaN for all.
    """
    own, base = (curve[curve["method"] == name] for name in (method, BASE))
    if not math.isnan(budget):
        own = within(own, budget)
    own, base = (runs.set_index(["data", "seed"]) for runs in (own, base))
    common = [
        data
        for data in own.index.unique("data")
        if set(_seeds(own, data)) == set(_seeds(base, data)) != set()
    ]
    found = {data: _cost(own.loc[[data]], base.loc[[data]]) for data in common}
    overall = _cost(own.loc[common], base.loc[common]) if common else None
    nasoa_cost = base.loc[common, "multiple"].mean() if common else math.nan
    return {
        "cost": _rounded(overall),
        "ratio": _rounded(overall / nasoa_cost) if overall is not None else None,
        "by_data": {str(data): _rounded(cost) for data, cost in found.items()},
    }


def _seeds(frame: pd.DataFrame, data: str) -> list[int]:
    return frame.loc[data].index.unique().to_list() if data in frame.index else []


def _cost(own: pd.DataFrame, base: pd.DataFrame) -> float | None:
    """Return the least cost at which the mean over runs is at least that of the base."""
    runs = own.reset_index().pivot_table(
        index="multiple", columns=["data", "seed"], values="accuracy", aggfunc="last"
    )
    means = runs.ffill().dropna().mean(axis=1)
    reached = means[means >= base["accuracy"].mean() - ROUNDING]
    return float(reached.index[0]) if len(reached) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 4)
