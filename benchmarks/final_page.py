"""The section of docs/results.md that compares one-shot choice with tuning (Tables 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import geometric_mean

import pandas as pd

from benchmarks.final.goals import BUDGETS, SEARCHES, Record, goals, limits, record_of
from benchmarks.final.summary import BASE
from benchmarks.final.table import markdown, sets
from benchmarks.growth_plots import Curve, Growth, Result
from benchmarks.paper_tables import TABLE_4, TABLE_5
from benchmarks.results_files import machine_text, result, source, table

NAME = "final.json"
# What the plot over costs shows: one-shot choice, and searches for a model and hyperparameters.
PLOTTED = {
    BASE: "nasoa, one shot",
    "random:models": "random search",
    "bohb:models": "BOHB",
    "tpe:models": "TPE with Hyperband",
}
# Columns of README's table: their names, and the method and budget in each.
COLUMNS: dict[str, tuple[str, float | None]] = {
    "nasoa": (BASE, None),
    "the paper's method": ("paper", None),
    "best default": ("default:all", None),
    **{
        f"{name}, {limits(budget)}": (f"{kind}:models", budget)
        for kind, name in SEARCHES.items()
        for budget in BUDGETS
    },
}


def section(found: Result) -> str:
    """Return all methods at their budgets, the goals, and the paper's Tables 4 and 5."""
    durations = ", ".join(
        f"{name} {min(own):g} to {max(own):g} s" for name, own in _limits_s(found).items()
    )
    return "\n".join(
        [
            "## One shot beside tuning (Tables 4 and 5, Figure 6)\n",
            f"Test accuracy over {len(found['seeds'])} seeds, on the same splits and by the same "
            f"program, with limits on the step clock: {durations} "
            f"({source(NAME)}, {machine_text(found['machine'])}; `python -m benchmarks.final "
            "--help` explains the methods).\n",
            markdown(found["summary"]),
            "",
            _left_out(found),
            _verdict(found),
            *(f"![{plot.title}]({file})\n" for file, plot in PLOTS.items() if plot.has(found)),
            "The paper's Table 4, accuracy in percent; costs are those of the search, in times "
            "that of one training:\n",
            table(["method", "cost", *TABLE_4.columns], TABLE_4.rows),
            "The paper's Table 5, means over its data sets:\n",
            table(["method", "cost", "mean"], ([row[0], *row[3:]] for row in TABLE_5)),
        ]
    )


def _limits_s(found: Result) -> dict[str, list[float]]:
    found_s: dict[str, list[float]] = {}
    for limit in found["limits_s"]:
        found_s.setdefault(limit["limit"], []).append(limit["s"])
    return found_s


def _left_out(found: Result) -> str:
    """Return which methods do not fit a limit, are not finished, or have exceeded a limit.

    A search counts at a budget once it has spent that.
    """
    parts = {
        "Does not fit": (found["does_not_fit"], ""),
        "Not finished": (found["unfinished"], ""),
        "Ended after the limit": (found["over_the_limit"], "over_s"),
    }
    lines = []
    for name, (rows, over) in parts.items():
        for (limit, method), own in _by_method(rows):
            data = ", ".join(sorted(own["data"].unique()))
            most = f" (by {own[over].max():g} s at most)" if over else ""
            lines.append([name + most, limit, method, data, len(own)])
    if not lines:
        return "All methods fit all limits, and no fine-tune ended after its limit.\n"
    return table(["", "limit", "method", "data sets", "runs"], lines)


def _by_method(rows: Iterable[Record]) -> Iterable[tuple[tuple[str, str], pd.DataFrame]]:
    frame = pd.DataFrame([*rows])
    return frame.groupby(["limit", "method"]) if len(frame) else ()


def _verdict(found: Result) -> str:
    """Return the goals of the comparison, and how many are met."""
    lines = [line for limit in _limits_s(found) for line in goals(found, limit)]
    met = sum(line[-1] == "yes" for line in lines)
    return (
        f"The goals: nasoa is to be ahead, on average over data sets. Met are {met} of "
        f"{len(lines)}. Where the interval contains 0, the data sets are too few to tell. The best "
        "default of a series is chosen in validation, which takes a limit for each of its "
        "models.\n\n" + table(["ahead of", "limit", "nasoa's lead", "90 % interval", "met"], lines)
    )


def means() -> str:
    """Return the table of README: mean accuracies of nasoa, of tuning and of defaults."""
    found = result(NAME)
    lines = []
    for limit, seconds in _limits_s(found).items():
        records = [record_of(found, limit, *asked) for asked in COLUMNS.values()]
        lines.append([f"{min(seconds):g} to {max(seconds):g} s", *map(_mean, records)])
    return table(["limit", *COLUMNS], lines)


def _mean(record: Record | None) -> str:
    """Return a mean, with the number of its data sets where they are not all."""
    if record is None or record["mean"] is None:
        return ""
    return f"{record['mean']:.3f}" + ("" if _is_whole(record) else f" ({sets(record)})")


def _is_whole(record: Record) -> bool:
    """Return whether a mean is over the same data sets as nasoa's."""
    return bool(record["data_sets"] == record["of_data_sets"] > 0)


def over_costs(found: Result) -> list[Curve]:
    """Return the mean accuracy of methods over their budget, at the first limit.

    What one-shot choice reaches within one limit is drawn for all budgets. Means over some of the
    data sets are left out.
    """
    first = min(_limits_s(found))
    held = {
        method: [
            (record["budget"], record["mean"])
            for record in found["summary"]
            if (record["limit"], record["method"]) == (first, method) and _is_whole(record)
        ]
        for method in PLOTTED
    }
    budgets = sorted({budget for points in held.values() for budget, _ in points if budget})
    held[BASE] = [(budget, mean) for _, mean in held[BASE] for budget in budgets]
    return [Curve.of(PLOTTED[method], points) for method, points in held.items() if points]


def over_limits(found: Result) -> list[Curve]:
    """Return the mean accuracy of nasoa and of the best default of each series over the limit.

    As in the paper's Figure 6, the best default of a data set is chosen by its test accuracy. Means
    over some of the data sets are left out. A limit is the geometric mean over data sets.
    """

    def points(*methods: str) -> list[tuple[float, float]]:
        drawn = []
        for limit, seconds in _limits_s(found).items():
            records = [record_of(found, limit, method, None) for method in methods]
            record = next((record for record in records if record), None)
            if record and _is_whole(record):
                drawn.append((geometric_mean(seconds), record["mean"]))
        return drawn

    series = {name: f"default:{name}" for name in found["models"]}
    curves = {
        "nasoa": points(BASE),
        **{name: points(f"{own} (upper bound)", own) for name, own in series.items()},
    }
    return [Curve.of(name, drawn) for name, drawn in curves.items() if drawn]


def _plot(title: str, across: str, curves: Callable[[Result], list[Curve]], sizes: int) -> Growth:
    return Growth(NAME, title, across, "accuracy", curves, is_share=True, least_sizes=sizes)


PLOTS = {
    "accuracy-over-cost.svg": _plot(
        "Mean accuracy of one-shot choice and of tuning", "cost in time limits", over_costs, 2
    ),
    "accuracy-over-limits.svg": _plot(
        "Mean accuracy of nasoa and of the best default of each series",
        "time limit in seconds",
        over_limits,
        1,
    ),
}
