"""The JSON document and the page of the comparison."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, machine
from benchmarks.results_files import table
from benchmarks.run_log import Row, RunLog
from benchmarks.search_report import standalone
from benchmarks.transfer.judged import GROUPS, Judged, differences
from benchmarks.transfer.newcomers import newcomers
from benchmarks.transfer.plan import LIMIT_SETS, MEASURES, RESOLUTIONS, sets_of
from benchmarks.transfer.plot import plot, plot_file
from benchmarks.transfer.runs import STEP_BATCH
from benchmarks.transfer.weights import Weights

TITLES = {"known": "## On the meta-training data sets", "unseen": "## On the five test tasks"}
VERDICTS = {
    "ships": ("ships", "does not ship"),
    "joins": ("joins the package", "does not join"),
}
HEAD = """# How well the networks transfer

Written by `python -m benchmarks.transfer report` from
[its runs](../benchmarks/results/transfer.json), {core_hours} core-hours. A step is one of training
on a batch of {step[batch]} images with one thread. "linear" is a head
alone, "full" ten epochs of all layers, "limit" `nasoa finetune --model` within a time limit, on six
of the meta-training sets: {limit_sets}. The figures are mean accuracies on test images."""
DIFFERENCES = """## Against the weights of the package

Differences of mean accuracies over data sets, with 95 % intervals. Weights ship if the difference
on the meta-training sets, averaged over linear heads and full fine-tunes, is at least 0.01; that is
decided when all of these runs are there, with the same seeds for both. A teacher's students have
seen the training images of the meta-training sets, without labels, but none of the test tasks; so
the same average on the test tasks stands beside, with a warning if it is not above 0."""
NEWCOMERS = """## New networks beside the front of the package

Each network whose name the package lacks, beside the packaged networks that no other beats in step
time and mean accuracy, interpolated over the logarithm of the step time to that of the network;
time limits, by the step time at 64 px. A network that is faster than all of them is compared with
the fastest, one that is slower with the most accurate. Differences are paired by data set. A
network joins if the average over linear heads and full fine-tunes of the meta-training sets is at
least 0.01 and its 95 % interval over data sets lies above 0. The test tasks stand beside, as
above."""


def report(found: Sequence[Weights], log: RunLog, output: Path) -> None:
    """Write the JSON, the page and the plots."""
    judged = [Judged.of(weights, log) for weights in found]
    document: dict[str, Any] = {
        "machine": machine(["torch", "torchvision", "scikit-learn"]),
        "limit_sets": ", ".join(LIMIT_SETS),
        "step": {"batch": STEP_BATCH, "resolutions": RESOLUTIONS, "threads": 1},
        "core_hours": round(sum(row.get("core_s", 0.0) for row in log.rows) / 3600, 2),
        "networks": [_summary(one) for one in judged],
        "differences": differences(judged),
        "newcomers": newcomers(judged),
        "runs": log.rows,
    }
    (RESULTS / "transfer.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "transfer.md").write_text(page(document), encoding="utf-8")
    for resolution in RESOLUTIONS:
        drawn = standalone(plot(document, resolution))
        (output / plot_file(resolution)).write_text(drawn, encoding="utf-8")


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
        "teacher": one.weights.teacher,
        "step_ms": {f"{px} px": one.steps_ms.get(px) for px in RESOLUTIONS},
        "num_params": entry.num_params,
        "accuracy": {
            group: {m.label: one.mean(m, sets_of(m)[group]) for m in MEASURES} for group in GROUPS
        },
    }


def page(document: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD.format(**document)]
    labels = [measure.label for measure in MEASURES]
    sizes = [f"{px} px" for px in RESOLUTIONS]
    ordered = sorted(document["networks"], key=lambda row: row["step_ms"][sizes[0]] or float("inf"))
    for group, title in TITLES.items():
        shown = [x for x in labels if any(row["accuracy"][group][x] for row in ordered)]
        header = ["network", *(f"step ms at {size}" for size in sizes), "source", *shown]
        rows = [
            [
                row["label"],
                *("" if (ms := row["step_ms"][size]) is None else f"{ms:.1f}" for size in sizes),
                f"{row['source']} {row['source_accuracy']:.3f}",
                *(_cell(row["accuracy"][group][label]) for label in shown),
            ]
            for row in ordered
        ]
        lines += ["", title, "", table(header, rows).rstrip()]
    for px in RESOLUTIONS:
        title = f"Transfer accuracy against training step time at {px} px"
        lines += ["", f"![{title}]({plot_file(px)})"]
    for name, head, verdict in (
        ("differences", DIFFERENCES, "ships"),
        ("newcomers", NEWCOMERS, "joins"),
    ):
        if document[name]:
            lines += ["", head, "", *_told(document[name], verdict)]
    return "\n".join(lines) + "\n"


def _told(rows: Iterable[Row], verdict: str) -> list[str]:
    """Return a line for each comparison: the verdict, if it is there, and the differences."""
    found = []
    for row in rows:
        told = [
            f"{name} {value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"
            for name, value in row.items()
            if name.startswith(GROUPS) and isinstance(value, list)
        ]
        decided = [_verdict(row, verdict)] if verdict in row else []
        found.append(f"- {row['label']}: {'; '.join(decided + told) or 'not measured yet'}.")
    return found


def _verdict(row: Row, verdict: str) -> str:
    yes, no = VERDICTS[verdict]
    low, high = row["interval"]
    told = (
        f"{row['mean']:+.3f} ({low:+.3f} to {high:+.3f}) on average, {yes if row[verdict] else no}"
    )
    if "unseen" not in row:
        return told
    warning = "" if row["unseen"] > 0.0 else " (warning: not better there)"
    return f"{told}; {row['unseen']:+.3f} on the test tasks{warning}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
