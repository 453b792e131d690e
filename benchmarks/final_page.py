"""The section of docs/results.md that compares one-shot choice with tuning (Tables 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.final.table import markdown
from benchmarks.growth_plots import Curve, Growth, Result
from benchmarks.paper_tables import TABLE_4, TABLE_5
from benchmarks.results_files import machine_text, source, table

NAME = "final.json"
PLOT_FILE = "accuracy-over-cost.svg"
# What the plot shows: one-shot choice, and searches for a model and its hyperparameters.
PLOTTED = {
    "nasoa": "nasoa, one shot",
    "random:models": "random search",
    "bohb:models": "BOHB",
    "tpe:models": "TPE with Hyperband",
}


def section(found: Mapping[str, Any]) -> str:
    """Return all methods at their budgets, and the paper's Tables 4 and 5."""
    limits = ", ".join(
        f"{name} {min(own):g} to {max(own):g} s" for name, own in _limits_s(found).items()
    )
    return "\n".join(
        [
            "## One shot beside tuning (Tables 4 and 5, Figure 6)\n",
            f"Test accuracy over {len(found['seeds'])} seeds, on the same splits and by the same "
            f"program, with limits on the step clock: {limits} "
            f"({source(NAME)}, {machine_text(found['machine'])}; `python -m benchmarks.final "
            "--help` explains the methods).\n",
            markdown(found["summary"]),
            "",
            f"![{PLOT.title}]({PLOT_FILE})\n" if PLOT.is_measured() else "",
            "The paper's Table 4, accuracy in percent; costs are those of the search, in times "
            "that of one training:\n",
            table(["method", "cost", *TABLE_4.columns], TABLE_4.rows),
            "The paper's Table 5, means over its data sets:\n",
            table(["method", "cost", "mean"], ([row[0], *row[3:]] for row in TABLE_5)),
        ]
    )


def _limits_s(found: Mapping[str, Any]) -> dict[str, list[float]]:
    limits: dict[str, list[float]] = {}
    for limit in found["limits_s"]:
        limits.setdefault(limit["limit"], []).append(limit["s"])
    return limits


def mean_accuracies(found: Result) -> list[Curve]:
    """Return the mean accuracy of methods over their budget, at the first limit.

    What one-shot choice reaches within one limit is drawn for all budgets.
    """
    first = min(record["limit"] for record in found["summary"])
    held = {
        method: [
            (record["budget"], record["mean"])
            for record in found["summary"]
            if (record["limit"], record["method"]) == (first, method)
        ]
        for method in PLOTTED
    }
    budgets = sorted({budget for points in held.values() for budget, _ in points if budget})
    ((_, alone),) = held["nasoa"]
    held["nasoa"] = [(budget, alone) for budget in budgets]
    return [Curve.of(PLOTTED[method], points) for method, points in held.items() if points]


PLOT = Growth(
    NAME,
    "Mean accuracy of one-shot choice and of tuning",
    "cost in time limits",
    "accuracy",
    mean_accuracies,
    is_share=True,
)
