"""The JSON document and the page of the comparison."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from scipy.stats import t as student_t

from benchmarks.machine import RESULTS, machine
from benchmarks.run_log import Row, RunLog
from benchmarks.search_report import standalone
from benchmarks.transfer.plan import LIMIT_SETS, MEASURES, Measure, sets_of
from benchmarks.transfer.plot import plot
from benchmarks.transfer.runs import STEP_BATCH, STEP_RESOLUTION
from benchmarks.transfer.weights import TODAY, Weights

SHIPS = 0.01
GROUPS = ("known", "unseen")
DECISIVE = [measure for measure in MEASURES if measure.kind != "limit"]
HEAD = """# How well the networks transfer

Written by `python -m benchmarks.transfer report` from
[its runs](../benchmarks/results/transfer.json), {core_hours} core-hours. A step is one of training
on a batch of {step[batch]} images of {step[resolution]} px with one thread. "linear" is a head
alone, "full" ten epochs of all layers, "limit" `nasoa finetune --model` within a time limit, on six
of the meta-training sets: {limit_sets}. The figures are mean accuracies on test images."""
PLOT = """![Transfer accuracy against training step time](transfer.svg)"""
DIFFERENCES = """## Against the weights of the package

Differences of mean accuracies over data sets, with 95 % intervals. Weights ship if the difference
on the meta-training sets, averaged over linear heads and full fine-tunes, is at least 0.01; that is
decided when all of these runs are there, with the same seeds for both."""


@dataclass(frozen=True)
class Judged:
    """The results of one network; `accuracies` by measure, data set and seed."""

    weights: Weights
    step_ms: float | None
    accuracies: Mapping[Measure, Mapping[str, Mapping[int, float]]]

    def mean(self, measure: Measure, names: Sequence[str]) -> float | None:
        """Return the mean accuracy over data sets; None if one is missing, or there are none."""
        known = self.accuracies[measure]
        if not names or not set(names) <= set(known):
            return None
        return statistics.fmean(statistics.fmean(known[name].values()) for name in names)


def report(found: Sequence[Weights], log: RunLog, output: Path) -> None:
    """Write the JSON, the page and the plot."""
    judged = [_judged(weights, log) for weights in found]
    document: dict[str, Any] = {
        "machine": machine(["torch", "torchvision", "scikit-learn"]),
        "limit_sets": ", ".join(LIMIT_SETS),
        "step": {"batch": STEP_BATCH, "resolution": STEP_RESOLUTION, "threads": 1},
        "core_hours": round(sum(row.get("core_s", 0.0) for row in log.rows) / 3600, 2),
        "networks": [_summary(one) for one in judged],
        "differences": differences(judged),
        "runs": log.rows,
    }
    (RESULTS / "transfer.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "transfer.md").write_text(page(document), encoding="utf-8")
    (output / "transfer.svg").write_text(standalone(plot(document)), encoding="utf-8")


def _judged(weights: Weights, log: RunLog) -> Judged:
    own = [row for row in log.rows if row["digest"] == weights.digest]
    accuracies: dict[Measure, dict[str, dict[int, float]]] = {measure: {} for measure in MEASURES}
    for row in own:
        of_measure = accuracies.get(Measure(row["kind"], row["size"]))
        if of_measure is not None:
            of_measure.setdefault(row["data"], {})[row["seed"]] = row["accuracy"]
    steps = [row["step_ms"] for row in own if row["kind"] == "step"]
    return Judged(weights, steps[0] if steps else None, accuracies)


def _summary(one: Judged) -> Row:
    entry = one.weights.entry
    return {
        "label": one.weights.label,
        "model": entry.name,
        "weights": one.weights.source,
        "digest": one.weights.digest,
        "encoding": entry.encoding or entry.builder,
        "source": entry.source,
        "source_accuracy": entry.source_accuracy,
        "step_ms": one.step_ms,
        "num_params": entry.num_params,
        "accuracy": {
            group: {m.label: one.mean(m, sets_of(m)[group]) for m in MEASURES} for group in GROUPS
        },
    }


def differences(judged: Sequence[Judged]) -> list[Row]:
    """Compare each network from a folder with the package's of the same name.

    The difference is the mean over data sets, with a 95 % interval by Student's t. `ships` is
    whether it is at least .01 on average over linear and full fine-tunes of the known sets; it is
    missing as long as a run that this rests on is.
    """
    today = {one.weights.entry.name: one for one in judged if one.weights.source == TODAY}
    rows = []
    for one in judged:
        before = today.get(one.weights.entry.name)
        if before is None or one.weights.source == TODAY:
            continue
        row: Row = {"label": one.weights.label, "model": one.weights.entry.name}
        gains: dict[Measure, float] = {}
        for group, measure in product(GROUPS, MEASURES):
            names = sets_of(measure)[group]
            both = _paired(one.accuracies[measure], before.accuracies[measure], names)
            if not both or len(both) < len(names):
                continue
            mean, low, high = interval(both)
            row[f"{group}, {measure.label}"] = [round(value, 4) for value in (mean, low, high)]
            if group == "known" and measure in DECISIVE:
                gains[measure] = mean
        if len(gains) == len(DECISIVE):
            gain = statistics.fmean(gains.values())
            row |= {"mean": round(gain, 4), "ships": gain >= SHIPS}
        rows.append(row)
    return rows


def _paired(
    new: Mapping[str, Mapping[int, float]],
    old: Mapping[str, Mapping[int, float]],
    names: Sequence[str],
) -> list[float]:
    """Return the mean difference of each data set that both have, with the same seeds."""
    return [
        statistics.fmean(new[name][seed] - old[name][seed] for seed in new[name])
        for name in names
        if name in new and new[name].keys() == old.get(name, {}).keys()
    ]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval by Student's t."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return mean, mean - half, mean + half


def page(document: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD.format(**document)]
    titles = {"known": "## On the meta-training data sets", "unseen": "## On the five test tasks"}
    labels = [measure.label for measure in MEASURES]
    ordered = sorted(document["networks"], key=lambda row: row["step_ms"] or float("inf"))
    for group, title in titles.items():
        shown = [x for x in labels if any(row["accuracy"][group][x] for row in ordered)]
        lines += ["", title, "", f"| network | step ms | source | {' | '.join(shown)} |"]
        lines += ["| --- | --- | --- |" + " --- |" * len(shown)]
        for row in ordered:
            cells = [_cell(row["accuracy"][group][label]) for label in shown]
            step = "" if row["step_ms"] is None else f"{row['step_ms']:.1f}"
            source = f"{row['source']} {row['source_accuracy']:.3f}"
            lines.append(f"| {row['label']} | {step} | {source} | {' | '.join(cells)} |")
    lines += ["", PLOT]
    if document["differences"]:
        lines += ["", DIFFERENCES, ""]
        for row in document["differences"]:
            told = [
                f"{name} {value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"
                for name, value in row.items()
                if isinstance(value, list)
            ]
            verdict = "" if "ships" not in row else _verdict(row)
            lines.append(f"- {row['label']}: {verdict}{'; '.join(told)}.")
    return "\n".join(lines) + "\n"


def _verdict(row: Row) -> str:
    return f"{row['mean']:+.3f} on average, {'ships' if row['ships'] else 'does not ship'}; "


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
