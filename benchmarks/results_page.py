"""Write docs/results.md from the JSON files in benchmarks/results.

    python -m benchmarks.results_page [-o docs/results.md]

Every figure of the page comes from a file there; a test compares the page with what this writes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import (
    final_page,
    finetune_vs_scratch_page,
    lr_frozen_grid_page,
    plain_page,
    speed_sections,
    starter_page,
    step_time_page,
)
from benchmarks.growth_plots import PLOTS
from benchmarks.results_files import is_measured, machine_of, result, source, table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
FIXED, ADAPTIVE = "Fixed MLP", "Adaptive MLP"
ORDERS = {"random_order": "random", "group_by_group": "task by task"}
INTRODUCTION = """\
# Results

What was measured, beside the paper where it has a figure. This page is written by
`python -m benchmarks.results_page` from the files in `benchmarks/results/`, each of which names
its machine and versions, and seeds and repeats where there are any. [From the paper to the
code](paper.md) lists which of the paper's experiments were repeated, and [Limits](limits.md) what
the figures do not say.
"""


def online_error() -> str:
    """Return Table 3 of the paper: the adaptive MLP beside the best of fixed depth."""
    name = "table3.json"
    found = result(name)

    def line(stream: str, order: str, errors: dict[str, Any]) -> list[object]:
        fixed = min(e["all"]["mae"] for model, e in errors.items() if model.startswith(FIXED))
        adaptive = errors[ADAPTIVE]["all"]["mae"]
        return [stream, order, f"{adaptive:.2f}", f"{fixed:.2f}", f"{adaptive - fixed:+.2f}"]

    lines = [line("the paper's", "", found["paper"])]
    lines += [
        line(stream, ORDERS[order], measured[order])
        for stream, measured in found["streams"].items()
        for order in ORDERS
    ]
    streams = ", ".join(f"{name} {own['rows']}" for name, own in found["streams"].items())
    return (
        "## The adaptive MLP (Table 3)\n\n"
        "Mean absolute error in percent over a stream of runs, each predicted and then learned; "
        "all evaluations of a training are predicted before any of them is learned. Means over "
        f"{len(found['seeds'])} seeds of order and weights ({source(name)}, {machine_of(name)}, "
        f"[why](predictor.md#table-3)). Rows: {streams}.\n\n"
        + table(["stream", "order", ADAPTIVE, "best fixed MLP", "difference"], lines)
        + "\nMAE / MSE in percent, over the whole stream and two segments of it:\n\n"
        + "\n".join(_segment(found, segment) for segment in found["paper"][ADAPTIVE])
    )


def _segment(found: dict[str, Any], segment: str) -> str:
    """Return Table 3 over one segment of the streams."""
    columns = [(name, order) for name in found["streams"] for order in ORDERS]
    models = next(iter(found["streams"].values()))["random_order"]

    def errors(model: str) -> list[str]:
        measured = [found["streams"][name][order].get(model) for name, order in columns]
        every = [found["paper"].get(model), *measured]
        return [
            f"{own[segment]['mae']:.2f} / {own[segment]['mse']:.2f}" if own else "" for own in every
        ]

    header = [segment, "paper", *(f"{name}, {ORDERS[order]}" for name, order in columns)]
    return table(header, ([model, *errors(model)] for model in models))


def predictors() -> str:
    """Return the errors and regrets of every predictor of the package on tables of runs."""
    files = ("predictor_tables.json", "predictor_tables_collected.json")
    tables = {name: own for file in files for name, own in result(file)["tables"].items()}
    errors = {
        (name, order): {error["name"]: error for error in own["error"][order]}
        for name, own in tables.items()
        for order in ORDERS
    }
    regrets = {
        name: {found["name"]: found["regret"] for found in own["selection"]["results"]}
        for name, own in tables.items()
    }

    def line(predictor: str) -> list[str]:
        cells = []
        for name in tables:
            for order in ORDERS:
                error = errors[name, order].get(predictor)
                cells.append(f"{error['mae']:.4f}" if error else "")
            cells.append(f"{regrets[name][predictor]:.4f}")
        return [predictor, *cells]

    header = [""]
    for name in tables:
        header += [f"{name}: {ORDERS['random_order']}", ORDERS["group_by_group"], "regret"]
    rows = ", ".join(
        f"{name} {own['rows']} of {own['groups']} tasks" for name, own in tables.items()
    )
    widths = [
        [
            f"{name}, {ORDERS[order]}",
            *(f"{errors[name, order]['default'][key]:.3f}" for key in ("coverage_90", "width_90")),
        ]
        for name, order in errors
    ]
    feedback = next(iter(tables.values()))["selection"]["feedback"]
    sources = " and ".join(f"{source(file)}, {machine_of(file)}" for file in files)
    return (
        "## Predictors\n\n"
        "Mean absolute errors of accuracies, each training predicted and then learned, and regrets "
        f"of choices for a task after {feedback} of its runs ({sources}, "
        f"[more](predictor.md#figures)). Rows: {rows}.\n\n"
        + table(header, map(line, next(iter(regrets.values()))))
        + "\nThe 90 % interval of `default`:\n\n"
        + table(["", "coverage", "mean width"], widths)
    )


def parts_of_the_predictor() -> str:
    """Return the errors and regrets of the default predictor without some of its parts."""
    name = "predictor_ablation.json"
    found = result(name)
    header = [""]
    for stream in found["tables"]:
        header += [f"{stream}: {ORDERS['random_order']}", ORDERS["group_by_group"], "regret"]
    lines = []
    for variant in next(iter(found["tables"].values()))["variants"]:
        cells = []
        for own in found["tables"].values():
            measured = own["variants"][variant]
            # Without the fallback, only choices differ.
            errors = [measured["error"].get(order) for order in ORDERS]
            cells += [f"{error['mae']:.4f}" if error else "" for error in errors]
            cells.append(f"{measured['regret']:.4f}")
        lines.append([variant, *cells])
    return (
        "## What the parts of the predictor add\n\n"
        "Mean absolute errors and regrets of `default` without some of its parts, over at most "
        f"{found['runs_per_task']} runs of every task ({source(name)}, {machine_of(name)}).\n\n"
        + table(header, lines)
    )


def left_out_families() -> str:
    """Return how well the accuracies of a family of networks are predicted without its runs."""
    name = "left_out_families.json"
    found = result(name)
    keys = ("formula_error", "predictor_error", "coverage", "mean_width")
    runs = sum(int(own["runs"]) for own in found["families"].values())
    lines = [
        [family, int(own["runs"]), *(f"{own[key]:.3f}" for key in keys)]
        for family, own in found["families"].items()
    ]
    header = [
        "family",
        "runs",
        "error of the formula",
        "error of the predictor",
        "coverage",
        "width",
    ]
    return (
        "## Families of networks that were never seen\n\n"
        "The formula is fitted and the predictor learned without the runs of a family, which are "
        "then predicted: mean absolute error of the accuracy, and fraction of runs in the 90 % "
        f"interval and its mean width, on {runs:,} records ({source(name)}, "
        f"{machine_of(name)}).\n\n" + table(header, lines)
    )


def search_quality() -> str:
    """Return the quality of the search beside pymoo and random search."""
    name = "nsga2_quality.json"
    ways = ("nasoa", "pymoo", "random")
    lines = []
    for found in result(name)["tables"]:
        ratios = [found[way]["hypervolume_ratio"] if way in found else None for way in ways]
        cells = [f"{ratio['median']:.3f}" if ratio else "" for ratio in ratios]
        lines.append([found["table"], found["budget"], *cells])
    return (
        "## The search\n\n"
        "Fraction of the best hypervolume that is reached on tables of networks whose front is "
        f"known, medians over {result(name)['seeds']} seeds ({source(name)}, {machine_of(name)}). "
        "A real search, with Figure 10 and Table 11 of the paper, has [a page of its own]"
        "(search-results.md).\n\n" + table(["table", "evaluations", *ways], lines)
    )


def features_of_a_task() -> str:
    """Return what the features that describe a task add to the default predictor."""
    name = "task_features.json"
    found = result(name)
    lines = [
        [
            variant,
            *(f"{own['mae'][order]:.4f}" for order in ORDERS),
            f"{own['regret']:.4f}",
        ]
        for variant, own in found["variants"].items()
    ]
    return (
        "## What describes a task\n\n"
        "Mean absolute errors and regrets of `default` on the collected runs as a table of "
        "arbitrary columns, without some of them. The default formula, which uses the landmark, "
        f"is left out ({found['rows']:,} records of {found['runs']:,} trainings, {source(name)}, "
        f"{machine_of(name)}).\n\n" + table(["", *ORDERS.values(), "regret"], lines)
    )


def _experiment(module: ModuleType) -> str:
    """Return the section of an experiment of the paper."""
    section: str = module.section(result(module.NAME))
    return section


# The sections in order, each with its file of results if that may not have been measured yet.
SECTIONS: tuple[tuple[Callable[[], str], str | None], ...] = (
    (plain_page.beside_plain_programs, None),
    (plain_page.not_below_linear, plain_page.LINEAR),
    (starter_page.first_tasks, None),
    (predictors, None),
    (parts_of_the_predictor, None),
    (features_of_a_task, "task_features.json"),
    (partial(_experiment, final_page), final_page.NAME),
    (left_out_families, None),
    (online_error, None),
    (search_quality, None),
    *(
        (partial(_experiment, module), module.NAME)
        for module in (step_time_page, finetune_vs_scratch_page, lr_frozen_grid_page)
    ),
    (speed_sections.survival, None),
    (speed_sections.features, None),
    (speed_sections.training_steps, None),
    (speed_sections.training_from_files, "speed.json"),
    (speed_sections.speed, None),
    (speed_sections.pipeline_overhead, "pipeline_overhead.json"),
    (speed_sections.growth, None),
)


def page() -> str:
    """Return the whole page."""
    sections = [make() for make, name in SECTIONS if name is None or is_measured(name)]
    return "\n".join([INTRODUCTION, *sections])


def plots() -> dict[str, str]:
    """Return the plots of the page: names of files beside it, and their content."""
    named = {f"growth-{name}.svg": plot for name, plot in PLOTS.items()}
    return {
        name: plot.draw(result(plot.source))
        for name, plot in {
            plain_page.PLOT_FILE: plain_page.PLOT,
            final_page.PLOT_FILE: final_page.PLOT,
            **named,
        }.items()
        if plot.is_measured()
    }


def main() -> None:
    """Write the page and its plots."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    output = parser.parse_args().output
    output.write_text(page(), encoding="utf-8")
    for name, plot in plots().items():
        (output.parent / name).write_text(plot, encoding="utf-8")


if __name__ == "__main__":
    main()
