"""The page about signals: their correlations, the best one's lead, and what teachers cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.results_files import table
from benchmarks.run_log import Row
from nasoa.config import PretrainConfig

TITLES = {
    "long": "## Against long trainings, three seeds averaged",
    "full": "## Early stops against the full training of the preset, one seed",
}


def page(document: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD.format(**document), "", *_about_trainings(document)]
    for target, title in TITLES.items():
        own = sorted(
            (row for row in document["correlations"] if row["target"] == target),
            key=lambda row: -row["spearman"],
        )
        lines += ["", title, "", table(COLUMNS, map(_cells, own)).rstrip()]
    if document["leads"]:
        ordered = sorted(document["leads"], key=lambda row: row["lead"])
        told = [
            (row["over"], row["architectures"], f"{row['lead']:+.3f}", _ends(row, "+.3f"))
            for row in ordered
        ]
        lines += ["", LEADS.format(signal=ordered[0]["signal"]), ""]
        lines += [table(("signal", "architectures", "lead", "95 % interval"), told).rstrip()]
    if document["teachers"]:
        evaluations = document["evaluations_of_a_search"]
        costs = [
            (
                f"{row['teacher']} at {row['resolution']} px",
                row["images"],
                f"{row['core_s_per_image']:.4f}",
                f"{row['core_s']:.0f}",
                f"{row['core_s'] / evaluations:.2f}",
            )
            for row in document["teachers"]
        ]
        head = ("teacher", "images", "core-seconds for an image", "in total", "for an architecture")
        lines += ["", TEACHERS.format(evaluations=evaluations), "", table(head, costs).rstrip()]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    """Return the cells of a correlation; a cost with the teacher only where there is one."""
    has_teacher = row["core_s_with_teacher"] > row["core_s"]
    return [
        row["signal"],
        str(row["architectures"]),
        f"{row['spearman']:.3f}",
        _ends(row, ".3f"),
        f"{row['core_s']:.2f}",
        f"{row['per_core_s']:.4f}",
        f"{row['core_s_with_teacher']:.2f}" if has_teacher else "",
        f"{row['per_core_s_with_teacher']:.4f}" if has_teacher else "",
    ]


def _ends(row: Row, form: str) -> str:
    low, high = row["interval"]
    return f"{low:{form}} to {high:{form}}"


def _about_trainings(document: Mapping[str, Any]) -> list[str]:
    """Return what a long training is, what seeds change, and how many trainings diverged."""
    long = document["trainings"]["long"]
    images = document["proxies"].get("long", {}).get("train")
    size = f"{long['epochs']:g} epochs" + (f" of {images:,} images" if images else "")
    counts = ", ".join(f"{count} of {kind}" for kind, count in document["diverged"].items())
    zoo = PretrainConfig.small().epochs
    return [LONG_IS.format(classes=long["classes"], size=size, zoo=zoo, diverged=counts or "none")]


COLUMNS = (
    "signal",
    "architectures",
    "Spearman",
    "95 % interval",
    "core-seconds",
    "per core-second",
    "core-seconds with the teacher",
    "per core-second with the teacher",
)
HEAD = """# Signals that tell good architectures from bad ones

Written by `python -m benchmarks.search_signals report` from
[all trainings](../benchmarks/results/search_signals.json), {core_hours} core-hours. Architectures
are a sample of the small block space. The value of a signal is its rank correlation with long
trainings, for the core-seconds that an architecture takes. If there are several seeds, the
correlation is the mean over them, or over their pairs for two averaged seeds. Intervals are from
resampling architectures."""
LONG_IS = """A long training is one of {classes} classes for {size}, and its accuracy is the mean of
three seeds that no signal has. It is a longer proxy and not the pretraining of a zoo, which has all
classes and {zoo} epochs. Early stops have the seed of the full training. The seeds of accuracy and
loss differ in initial weights, order and augmentation. Those of a teacher differ in initial weights
and order only: its crops are drawn once, for all seeds and architectures, so two averaged
seeds share this part of the noise.

A training that diverged ranks last: {diverged}."""
LEADS = """## Is the best signal better than the others?

The lead of "{signal}" in rank correlation over each other signal, on the architectures that have
both. Resampling draws the same architectures for both, so these intervals are narrower than those
above suggest. The best signal was chosen by the same figures, which favours it a little: a lead
whose interval contains 0 decides nothing."""
TEACHERS = """## What a teacher costs

The features of a teacher are computed once for all architectures of a search. The last two columns
above add the part of one architecture in a search of {evaluations} evaluations."""
