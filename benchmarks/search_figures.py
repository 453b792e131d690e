"""The figures of one search and its studies: what a page shows, and its JSON holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

import numpy as np
from scipy.stats import kendalltau, spearmanr

from benchmarks.run_log import Row
from benchmarks.search_rows import evaluation, hardware_in_words, value
from nasoa.errors import InvalidInput
from nasoa.offline.analysis import regress, step_time_correlations
from nasoa.offline.block_complexity import block_trend
from nasoa.offline.front import WORST_ERROR, front, objectives, successful
from nasoa.offline.pareto import hypervolume
from nasoa.offline.search import SearchConfig
from nasoa.offline.signal_columns import Column, signal_columns
from nasoa.records import Evaluation


def figures(rows: Sequence[Row], config: SearchConfig, *, pools_random: bool = False) -> Row:
    """Return the figures of a search; those of studies that were not made are missing.

    Args:
        rows: its lines of the table.
        config: its configuration.
        pools_random: whether the regression of Table 11 rests on the random architectures, too.
    """
    columns = signal_columns(config.evaluate.signal)
    level = "block" if config.block else "macro"
    evolved = [row for row in rows if row["kind"] == "evolved"]
    evaluations = [evaluation(row) for row in evolved]
    trained = len(successful(evaluations)[0])
    slow = sum(row["failure"] == "too slow" for row in evolved)
    found: Row = {
        "level": level,
        "signal": config.evaluate.signal,
        "hardware": hardware_in_words(evolved),
        "evaluated": len(evolved),
        "generations": max(row.get("generation", 0) for row in rows),
        "trained": trained,
        "too_slow": slow,
        "failed": len(evolved) - trained - slow,
        "hours": sum(row.get("elapsed_s", 0.0) for row in evolved) / 3600,
        "front": [
            {
                "encoding": e.encoding,
                **{column.name: column.value(e) for column in columns},
                "step_time_ms": e.costs.step_time_ms,
                "macs": e.costs.macs,
                "params": e.costs.params,
            }
            for e in front(evaluations)
        ],
    }
    studies = {
        "hypervolumes": against_random(rows, config),
        "references": references(rows, evaluations, columns[0]),
        "regression": regression(rows, level, pools_random=pools_random),
        "reseeded": reseeded(rows, columns[0]),
        "early_stop": early_stop(rows, columns),
        "remeasured": remeasured(rows),
    }
    return found | {name: study for name, study in studies.items() if study}


def against_random(rows: Sequence[Row], config: SearchConfig) -> Row:
    """Compare hypervolumes of evolved and random architectures after equally many trainings."""
    trained = [r for r in rows if r["kind"] == "evolved" and r["accuracy"] is not None]
    drawn = [r for r in rows if r["kind"] == "random" and r["accuracy"] is not None]
    if not drawn:
        return {}
    count = min(len(drawn), len(trained))
    column = signal_columns(config.evaluate.signal)[0]
    slowest = config.max_step_time_ms or max(r["step_time_ms"] for r in rows)

    def volume(chosen: Sequence[Row]) -> float:
        points = np.array([objectives(evaluation(row)) for row in chosen])
        return hypervolume(points, (slowest, WORST_ERROR)) / float(slowest * WORST_ERROR)

    groups = {"evolved, the first": trained[:count], "evolved, all": trained, "random": drawn}
    return {
        "slowest_ms": slowest,
        "architectures": [
            {
                "name": name,
                "trainings": len(chosen),
                "hypervolume": volume(chosen),
                "best": max(value(column, row) for row in chosen),
            }
            for name, chosen in groups.items()
        ],
    }


def references(rows: Sequence[Row], evaluations: Sequence[Evaluation], column: Column) -> list[Row]:
    """Compare known blocks with the front (the red dots of Figure 10)."""
    members = front(evaluations)
    found: list[Row] = []
    for row in (row for row in rows if row["kind"] == "references"):
        as_fast = [e for e in members if e.costs.step_time_ms <= row["step_time_ms"]]
        found.append(
            {
                **{key: row[key] for key in ("name", "encoding", "step_time_ms", "failure")},
                "value": column.value(evaluation(row)),
                "best_as_fast": max((column.value(e) or 0.0 for e in as_fast), default=0.0),
            }
        )
    return found


def regression(rows: Sequence[Row], level: str, *, pools_random: bool) -> Row:
    """Fit Table 11 to this search; an architecture of both kinds of lines counts once."""
    evolved = [evaluation(row) for row in rows if row["kind"] == "evolved"]
    pooled = list(evolved)
    if pools_random:
        known = {e.encoding for e in evolved}
        drawn = [evaluation(row) for row in rows if row["kind"] == "random"]
        pooled += [e for e in drawn if e.encoding not in known]
    fitted = regress(pooled, level)
    found: Row = {
        **asdict(fitted),
        "num_random": fitted.n - len(successful(evolved)[0]),
        "terms": [
            {**asdict(t), "is_significant": t.is_significant, "has_paper_sign": t.has_paper_sign}
            for t in fitted.terms
        ],
        # Lines of random architectures may lack some of the costs.
        "step_time_correlations": step_time_correlations(evolved),
    }
    if level == "block":
        try:
            trend = block_trend(evolved)
        except InvalidInput:
            return found
        found["block_trend"] = {**asdict(trend), "is_confirmed": trend.is_confirmed}
    return found


def reseeded(rows: Sequence[Row], column: Column) -> Row:
    """Check whether other seeds rank the same architectures alike."""
    again = [row for row in rows if row["kind"] == "reseeded" and row["accuracy"] is not None]
    if not again:
        return {}
    searched_rows = [r for r in rows if r["kind"] == "evolved" and r["accuracy"] is not None]
    first = {r["encoding"]: value(column, r) for r in searched_rows}
    members: list[Row] = [
        {
            "encoding": encoding,
            "search": first[encoding],
            "others": [value(column, row) for row in group],
        }
        for encoding, group in groupby(
            sorted(again, key=lambda r: r["encoding"]), lambda r: r["encoding"]
        )
    ]
    searched = np.array([member["search"] for member in members])
    means = np.array([np.mean(member["others"]) for member in members])
    spreads = [np.std([member["search"], *member["others"]], ddof=1) for member in members]
    return {
        "architectures": members,
        "spearman": float(spearmanr(searched, means).statistic),
        "kendall": float(kendalltau(searched, means).statistic),
        "standard_deviation": float(np.mean(spreads)),
        "bias": float(np.mean(searched - means)),
    }


def early_stop(rows: Sequence[Row], columns: Sequence[Column]) -> Row:
    """Check whether the short training ranks like the full one (7.3.1)."""
    full = [row for row in rows if row["kind"] == "full" and row["accuracy"] is not None]
    if not full:
        return {}
    stopped = {r["encoding"]: r for r in rows if r["kind"] == "evolved"}
    correlations = {}
    for column in columns:
        short = [value(column, stopped[row["encoding"]]) for row in full]
        rho = spearmanr(short, [value(column, row) for row in full]).statistic
        correlations[column.name] = float(rho)
    return {"architectures": len(full), "spearman": correlations}


def remeasured(rows: Sequence[Row]) -> list[Row]:
    """Return quantiles of remeasured step times as ratios to the first ones."""
    again = {row["encoding"]: row["step_time_ms"] for row in rows if row["kind"] == "remeasured"}
    found: list[Row] = []
    for kind in ("evolved", "random"):
        ratios = [
            again[row["encoding"]] / row.get("first_step_time_ms", row["step_time_ms"])
            for row in rows
            if row["kind"] == kind and row["encoding"] in again
        ]
        if ratios:
            quantiles = [float(q) for q in np.quantile(ratios, (0.1, 0.5, 0.9))]
            found.append({"kind": kind, "number": len(ratios), "quantiles": quantiles})
    return found
