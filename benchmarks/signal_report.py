"""How well signals rank architectures as long trainings do, with intervals, and for which cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.machine import RESULTS, machine
from benchmarks.run_log import Row

Array = NDArray[np.float64]

RESAMPLED = 2000
FEWEST = 10  # architectures for a correlation


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
TITLES = {
    "long": "## Against long trainings, three seeds averaged",
    "full": "## Early stops against the full training of the preset, one seed",
}


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
    found = []
    for name, signal in SIGNALS.items():
        values = known(rows, specs, signal)
        found.append(compared(name, signal, "long", values, long))
        if signal.kind in EARLY_STOPS and signal.seeds == 1:
            # All architectures have the first seed, which the full training has, too.
            found.append(compared(name, signal, "full", values[:, :1], full))
    correlations = [row | cost(rows, row) for row in found if row is not None]
    document: Row = {
        "correlations": correlations,
        "teachers": [row for row in rows if row["kind"].startswith("cost of ")],
        "core_hours": round(sum(row["core_s"] for row in rows) / 3600, 2),
        "machine": machine(["torch"]),
        **settings,
        "runs": [row for row in rows if row["encoding"]],
    }
    (RESULTS / "search_signals.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "search-signals.md").write_text(page(document), encoding="utf-8")


def known(rows: Sequence[Row], specs: Sequence[str], signal: Signal) -> Array:
    """Return the `(n, s)` values of architectures by seed; NaN if missing or diverged."""
    own = {
        (row["encoding"], row["seed"]): row[signal.value]
        for row in rows
        if row["kind"] == signal.kind
    }
    seeds = sorted({seed for _encoding, seed in own}) or [0]
    return np.array([[own.get((spec, seed)) for seed in seeds] for spec in specs], dtype=np.float64)


def compared(name: str, signal: Signal, target: str, values: Array, reached: Array) -> Row | None:
    """Compare a signal with its target; None if too few architectures have both.

    Args:
        name: name of the signal.
        signal: the signal; its correlation is the mean over all choices of its number of seeds.
        target: "long" or "full".
        values: `(n, s)` values by seed.
        reached: `(n,)` values to predict.
    """
    rows = np.isfinite(values).all(axis=1) & np.isfinite(reached)
    choices = list(combinations(range(values.shape[1]), signal.seeds))
    if rows.sum() < FEWEST or not choices:
        return None
    averaged = [values[rows][:, list(choice)].mean(axis=1) for choice in choices]
    rho, low, high = correlation(averaged, reached[rows])
    return {
        "signal": name,
        "target": target,
        "kind": signal.kind,
        "seeds_averaged": signal.seeds,
        "repeats": len(choices),
        "architectures": int(rows.sum()),
        "spearman": round(rho, 3),
        "interval": [round(low, 3), round(high, 3)],
    }


def correlation(signals: Sequence[Array], truth: Array) -> tuple[float, float, float]:
    """Compute the mean of the rank correlations of repeats of a signal with the truth (Spearman).

    Returns:
        The mean, and the ends of a 95 % interval from resampling architectures.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(truth), size=(RESAMPLED, len(truth)))
    found = _spearman([signal[drawn] for signal in signals], truth[drawn])
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(_spearman(signals, truth)), float(low), float(high)


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
    """Return the median core-seconds of a signal for an architecture, and correlation for them."""
    own = [row["core_s"] for row in rows if row["kind"] == compared_row["kind"]]
    core_s = compared_row["seeds_averaged"] * float(np.median(own))
    return {
        "core_s": round(core_s, 3),
        "per_core_s": round(compared_row["spearman"] / max(core_s, 1e-3), 4),
    }


def page(document: Mapping[str, object]) -> str:
    """Return the page in Markdown."""
    rows, teachers = document["correlations"], document["teachers"]
    assert isinstance(rows, list)
    assert isinstance(teachers, list)
    lines = [HEAD.format(**document)]
    for target, title in TITLES.items():
        own = sorted((r for r in rows if r["target"] == target), key=lambda r: -r["spearman"])
        lines += ["", title, ""]
        lines += [
            "| signal | architectures | Spearman | 95 % interval | core-seconds | per core-second |"
        ]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {r['signal']} | {r['architectures']} | {r['spearman']:.3f} | "
            f"{r['interval'][0]:.3f} to {r['interval'][1]:.3f} | {r['core_s']:.2f} | "
            f"{r['per_core_s']:.4f} |"
            for r in own
        ]
    if teachers:
        lines += ["", TEACHERS, ""]
        lines += ["| teacher | images | core-seconds for an image | in total |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [
            f"| {r['teacher']} at {r['resolution']} px | {r['images']} | "
            f"{r['core_s_per_image']:.4f} | {r['core_s']:.0f} |"
            for r in teachers
        ]
    return "\n".join(lines) + "\n"


HEAD = """# Signals that tell good architectures from bad ones

Written by `python -m benchmarks.search_signals report` from
[all trainings](../benchmarks/results/search_signals.json), {core_hours} core-hours. Architectures
are a sample of the small block space. The value of a signal is its rank correlation with long
trainings, for the core-seconds that an architecture takes. If there are several seeds, the
correlation is the mean over them, or over their pairs for two averaged seeds. Long trainings have
other seeds; early stops have the seed of the full training. Intervals are from resampling
architectures."""
TEACHERS = """## What a teacher costs

The features of a teacher are computed once for all architectures, and are not part of the times
above."""
