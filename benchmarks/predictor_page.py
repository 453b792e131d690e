"""Sections of the page of results on the predictors and the adaptive MLP (Table 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.results_files import machine_of, result, source, table
from benchmarks.table_version import COLLECTED, records

ONLINE_ERROR, FEATURES = "online_error.json", "task_features.json"
ABLATION, FAMILIES = "predictor_ablation.json", "left_out_families.json"
TABLES = ("predictor_tables.json", "predictor_tables_collected.json")
FIXED, ADAPTIVE = "Fixed MLP", "Adaptive MLP"
ORDERS = {"random_order": "random", "group_by_group": "task by task"}


def _rows(name: str, own: Mapping[str, Any]) -> str:
    """Return the number of rows of a table, and today's if it is that of collected runs."""
    if name == COLLECTED:
        return f"{name} {records(own['rows'], own.get('sha256'))}"
    return f"{name} {own['rows']:,}"


def online_error() -> str:
    """Return Table 3 of the paper: the adaptive MLP beside the best of fixed depth."""
    name = ONLINE_ERROR
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
    streams = "; ".join(_rows(name, own) for name, own in found["streams"].items())
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
    tables = {name: own for file in TABLES for name, own in result(file)["tables"].items()}
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
    rows = "; ".join(
        f"{_rows(name, own)}, of {own['groups']} tasks" for name, own in tables.items()
    )
    widths = [
        [
            f"{name}, {ORDERS[order]}",
            *(f"{errors[name, order]['default'][key]:.3f}" for key in ("coverage_90", "width_90")),
        ]
        for name, order in errors
    ]
    feedback = next(iter(tables.values()))["selection"]["feedback"]
    sources = " and ".join(f"{source(file)}, {machine_of(file)}" for file in TABLES)
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
    name = ABLATION
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
        f"{found['runs_per_task']} runs of every task ({source(name)}, {machine_of(name)}). "
        f"{_sampled(found['tables'])}\n\n" + table(header, lines)
    )


def _sampled(tables: Mapping[str, Any]) -> str:
    """Return which table of collected runs was sampled."""
    whole = tables[COLLECTED].get("table")
    if whole is None:
        return f"Which version of the table {COLLECTED} was sampled, the file does not say."
    return f"The table {COLLECTED} had {records(whole['rows'], whole['sha256'])}."


def left_out_families() -> str:
    """Return how well the accuracies of a family of networks are predicted without its runs."""
    name = FAMILIES
    found = result(name)
    keys = ("formula_error", "predictor_error", "coverage", "mean_width")
    runs = sum(int(own["runs"]) for own in found["families"].values())
    digest = found.get("table", {}).get("sha256")
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
        f"interval and its mean width, on {records(runs, digest)} ({source(name)}, "
        f"{machine_of(name)}).\n\n" + table(header, lines)
    )


def features_of_a_task() -> str:
    """Return what the features that describe a task add to the default predictor."""
    name = FEATURES
    found = result(name)
    measured = records(found["rows"], found.get("sha256"))
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
        f"is left out ({found['runs']:,} trainings with {measured}, {source(name)}, "
        f"{machine_of(name)}).\n\n" + table(["", *ORDERS.values(), "regret"], lines)
    )
