"""How well signals rank architectures as long trainings do, with intervals, and for which cost.

An architecture that diverged has a value, the worst one: a search would not choose it either. Only
architectures without a training are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.machine import RESULTS, machine
from benchmarks.run_log import Row
from benchmarks.signal_page import page

Array = NDArray[np.float64]

RESAMPLED = 2000
FEWEST = 10  # architectures for a correlation
WORST = float("-inf")  # the value of an architecture that diverged
# Evaluations of a search over which the cost of its teacher is spread: about those of the recorded
# block search.
EVALUATIONS = 200


@dataclass(frozen=True)
class Signal:
    """A signal: a kind of rows, which of their values, and how many seeds are averaged."""

    kind: str
    value: str
    seeds: int = 1


SIGNALS = {
    "accuracy": Signal("compressed", "accuracy"),
    "accuracy, two seeds": Signal("compressed", "accuracy", 2),
    "loss": Signal("compressed", "score"),
    "loss, two seeds": Signal("compressed", "score", 2),
    "accuracy, stopped at a quarter": Signal("stopped", "accuracy"),
    "loss, stopped at a quarter": Signal("stopped", "score"),
    "accuracy, stopped at a tenth": Signal("stopped_tenth", "accuracy"),
    "loss, stopped at a tenth": Signal("stopped_tenth", "score"),
    "accuracy of the full training": Signal("full", "accuracy"),
    "teacher": Signal("teacher", "score"),
    "teacher, two seeds": Signal("teacher", "score", 2),
    "teacher, same class": Signal("teacher", "accuracy"),
    "teacher at 224 px": Signal("teacher_large", "score"),
    "teacher at 224 px, two seeds": Signal("teacher_large", "score", 2),
    "synflow": Signal("synflow", "score"),
    "naswot": Signal("naswot", "score"),
    "jacobian covariance": Signal("jacobian", "score"),
    "multiply-accumulates": Signal("macs", "score"),
    "parameters": Signal("params", "score"),
}
# What is predicted, and the kinds of signals that are compared with it.
LONG, FULL = Signal("long", "accuracy"), Signal("full", "accuracy")
EARLY_STOPS = ("compressed", "stopped", "stopped_tenth")
PROXY_OF = "proxy of "  # kind of the lines that count the images of a kind of trainings
PROXY_FIELDS = ("classes", "train", "val")


def report(rows: Sequence[Row], specs: Sequence[str], output: Path, settings: Row) -> None:
    """Write the JSON and the page.

    Args:
        rows: lines of the log.
        specs: encodings of the architectures.
        output: folder of the page.
        settings: what the JSON says about the trainings.
    """
    long = known(rows, specs, LONG).mean(axis=1)  # NaN if a seed is missing
    full = known(rows, specs, FULL)[:, 0]
    values = {name: known(rows, specs, signal) for name, signal in SIGNALS.items()}
    found = []
    for name, signal in SIGNALS.items():
        found.append(compared(name, signal, "long", values[name], long))
        if signal.kind in EARLY_STOPS and signal.seeds == 1:
            # All architectures have the first seed, which the full training has, too.
            found.append(compared(name, signal, "full", values[name][:, :1], full))
    correlations = [row | cost(rows, row) for row in found if row is not None]
    document: Row = {
        "correlations": correlations,
        "leads": leads(correlations, values, long),
        "teachers": [row for row in rows if row["kind"].startswith("cost of ")],
        "evaluations_of_a_search": EVALUATIONS,
        "diverged": diverged(rows),
        "proxies": {
            row["kind"].removeprefix(PROXY_OF): {key: row[key] for key in PROXY_FIELDS}
            for row in rows
            if row["kind"].startswith(PROXY_OF)
        },
        "core_hours": round(sum(row.get("core_s", 0.0) for row in rows) / 3600, 2),
        "machine": machine(["torch"]),
        **settings,
        "runs": [row for row in rows if row["encoding"]],
    }
    (RESULTS / "search_signals.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "search-signals.md").write_text(page(document), encoding="utf-8")


def known(rows: Sequence[Row], specs: Sequence[str], signal: Signal) -> Array:
    """Return the `(n, s)` values of architectures by seed: NaN if missing, `WORST` if diverged."""
    own = {
        (row["encoding"], row["seed"]): _or_worst(row[signal.value])
        for row in rows
        if row["kind"] == signal.kind
    }
    seeds = sorted({seed for _encoding, seed in own}) or [0]
    return np.array(
        [[own.get((spec, seed), np.nan) for seed in seeds] for spec in specs], dtype=np.float64
    )


def _or_worst(value: float | None) -> float:
    """Return a value of a line; a training that diverged has none, and a score may be NaN."""
    return WORST if value is None or np.isnan(value) else value


def diverged(rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of trainings of each kind that diverged, if any did."""
    return dict(Counter(row["kind"] for row in rows if row.get("failure") == "diverged"))


def compared(name: str, signal: Signal, target: str, values: Array, reached: Array) -> Row | None:
    """Compare a signal with its target; None if too few architectures have both.

    Args:
        name: name of the signal.
        signal: the signal; its correlation is the mean over all choices of its number of seeds.
        target: "long" or "full".
        values: `(n, s)` values by seed.
        reached: `(n,)` values to predict.
    """
    rows = ~np.isnan(values).any(axis=1) & ~np.isnan(reached)
    repeats = averaged(values[rows], signal.seeds)
    if rows.sum() < FEWEST or not repeats:
        return None
    rho, low, high = correlation(repeats, reached[rows])
    return {
        "signal": name,
        "target": target,
        "kind": signal.kind,
        "seeds_averaged": signal.seeds,
        "repeats": len(repeats),
        "architectures": int(rows.sum()),
        "spearman": round(rho, 3),
        "interval": [round(low, 3), round(high, 3)],
    }


def averaged(values: Array, seeds: int) -> list[Array]:
    """Return the `(n,)` repeats of a signal: means over every choice of a number of its seeds."""
    choices = combinations(range(values.shape[1]), seeds)
    return [values[:, list(choice)].mean(axis=1) for choice in choices]


def correlation(signals: Sequence[Array], truth: Array) -> tuple[float, float, float]:
    """Compute the mean of the rank correlations of repeats of a signal with the truth (Spearman).

    Returns:
        The mean, and the ends of a 95 % interval from resampling architectures.
    """
    drawn = _resamples(len(truth))
    found = _spearman([signal[drawn] for signal in signals], truth[drawn])
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(_spearman(signals, truth)), float(low), float(high)


def leads(correlations: Sequence[Row], values: Mapping[str, Array], reached: Array) -> list[Row]:
    """Return the lead of the best signal over each other one, paired by architecture.

    Both are compared on the architectures that both have, and resampled together: what makes an
    architecture hard to rank for both does not widen the interval of their difference.

    Args:
        correlations: rows of `compared`; those against long trainings count.
        values: `(n, s)` values of each signal by seed.
        reached: `(n,)` values to predict.
    """
    own = [row for row in correlations if row["target"] == "long"]
    if not own:
        return []
    best = max(own, key=lambda row: row["spearman"])
    found = []
    for other in (row for row in own if row is not best):
        both = np.column_stack([values[best["signal"]], values[other["signal"]], reached])
        rows = ~np.isnan(both).any(axis=1)
        if rows.sum() < FEWEST:
            continue
        one, two = (
            averaged(values[row["signal"]][rows], row["seeds_averaged"]) for row in (best, other)
        )
        lead, low, high = difference(one, two, reached[rows])
        found.append(
            {
                "signal": best["signal"],
                "over": other["signal"],
                "architectures": int(rows.sum()),
                "lead": round(lead, 3),
                "interval": [round(low, 3), round(high, 3)],
            }
        )
    return found


def difference(
    one: Sequence[Array], other: Sequence[Array], truth: Array
) -> tuple[float, float, float]:
    """Compute how much better one signal's rank correlation with the truth is than another's.

    Returns:
        The difference, and the ends of a 95 % interval from resampling architectures for both.
    """
    drawn = _resamples(len(truth))
    first, second = (
        _spearman([signal[drawn] for signal in signals], truth[drawn]) for signals in (one, other)
    )
    low, high = np.nanpercentile(first - second, (2.5, 97.5))
    return float(_spearman(one, truth) - _spearman(other, truth)), float(low), float(high)


def _resamples(count: int) -> NDArray[np.int64]:
    """Return `(RESAMPLED, count)` indices of architectures, the same for every signal."""
    return np.random.default_rng(0).integers(count, size=(RESAMPLED, count))


def _spearman(signals: Sequence[Array], truth: Array) -> Array:
    """Return the `(...)` mean rank correlation of `(..., n)` signals; NaN if a row is constant."""
    ranks = _ranks(truth)
    correlations = [(_ranks(signal) * ranks).sum(axis=-1) for signal in signals]
    return np.asarray(np.mean(correlations, axis=0))


def _ranks(values: Array) -> Array:
    """Return ranks along the last axis, with mean 0 and a sum of squares of 1."""
    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(ranks / np.linalg.norm(ranks, axis=-1, keepdims=True))


def cost(rows: Sequence[Row], compared_row: Row) -> Row:
    """Return the median core-seconds of a signal for an architecture, and correlation for them.

    A teacher's features are computed once for all architectures and seeds of a search. Both are
    returned: without this cost, and with the part of one of `EVALUATIONS` in it.
    """
    kind, spearman = compared_row["kind"], compared_row["spearman"]
    own = [row["core_s"] for row in rows if row["kind"] == kind]
    core_s = compared_row["seeds_averaged"] * float(np.median(own))
    of_teacher = [row["core_s"] for row in rows if row["kind"] == f"cost of {kind}"]
    in_all = core_s + sum(of_teacher) / EVALUATIONS
    return {
        "core_s": round(core_s, 3),
        "per_core_s": round(spearman / max(core_s, 1e-3), 4),
        "core_s_with_teacher": round(in_all, 3),
        "per_core_s_with_teacher": round(spearman / max(in_all, 1e-3), 4),
    }
