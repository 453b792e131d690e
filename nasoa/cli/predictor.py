"""`nasoa predictor`: what was learned, and how well predictors do on a table."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from nasoa.cli import predictor_versions
from nasoa.cli.output import Subparsers, show, table

if TYPE_CHECKING:
    from nasoa.online.progressive import ProgressiveError
    from nasoa.steps.evaluating import Evaluation

MOST_JOBS = 2


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`predictor evaluate`, and the verbs for versions."""
    group = verbs.add_parser("predictor", help="what was learned")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    predictor_versions.add_verbs(own, shared)
    evaluate = own.add_parser(
        "evaluate",
        parents=[shared],
        help="predict, then learn: every predictor on a table of finished runs",
    )
    evaluate.add_argument("table", metavar="TABLE", help="a CSV or Parquet file, one run a row")
    evaluate.add_argument("--target", required=True, metavar="COL", help="accuracy, in [0, 1]")
    evaluate.add_argument(
        "--group", required=True, metavar="COL", help="the task that a run is of, as a data set"
    )
    evaluate.add_argument(
        "--feedback",
        type=int,
        default=12,
        metavar="N",
        help="runs of a task that are learned after the choice for it (default: 12)",
    )
    evaluate.add_argument(
        "--predictor",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may be given more than once (default: all that are installed)",
    )
    evaluate.add_argument("--seed", type=int, default=0, help="of all chance (default: 0)")
    evaluate.add_argument(
        "--jobs",
        type=int,
        default=min(MOST_JOBS, os.cpu_count() or 1),
        metavar="N",
        help="processes that share the work (default: 2, or 1 where there is one processor)",
    )
    evaluate.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> None:
    """Evaluate predictors on a table and print their errors and regrets."""
    from nasoa.steps.evaluating import evaluate_table  # noqa: PLC0415  (takes a second)

    is_watched = sys.stderr.isatty()

    def progress(done: int, total: int, name: str) -> None:
        if is_watched:
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r\033[K{done} of {total} done: {name}{end}")
            sys.stderr.flush()

    evaluation = evaluate_table(
        arguments.table,
        arguments.target,
        arguments.group,
        feedback=arguments.feedback,
        names=tuple(dict.fromkeys(arguments.predictor)),
        seed=arguments.seed,
        jobs=arguments.jobs,
        progress=progress,
    )
    if evaluation.duplicate_rows:
        sys.stderr.write(
            f"nasoa: {evaluation.duplicate_rows} rows equal an earlier one in everything; they "
            "were kept, and make errors in random order look small\n"
        )
    show(arguments, evaluation, _text(evaluation))


def _text(evaluation: Evaluation) -> str:
    parts = [f"{evaluation.rows} runs of {evaluation.groups} tasks, target {evaluation.target}"]
    header = ("", "MAE", "MSE", "first 20 %", "last 20 %", "inside 90 %", "width", "ms a row")
    for order, errors in evaluation.error.items():
        rows = [_error_row(error) for error in sorted(errors, key=lambda error: error.mae)]
        parts.append(f"Error, {order.replace('_', ' ')}\n{table(header, rows)}")
    selection = evaluation.selection
    regrets = [
        (result.name, f"{result.regret:.4f}")
        for result in sorted(selection.results, key=lambda result: result.regret)
    ]
    title = f"Regret of the choice, {selection.feedback} runs learned of each task"
    parts.append(f"{title}\n{table(('', 'regret'), regrets)}")
    return "\n\n".join(parts)


def _error_row(error: ProgressiveError) -> tuple[str, ...]:
    return (
        error.name,
        f"{error.mae:.4f}",
        f"{error.mse:.5f}",
        f"{error.mae_first_20:.4f}",
        f"{error.mae_last_20:.4f}",
        "" if error.coverage_90 is None else f"{error.coverage_90:.3f}",
        "" if error.width_90 is None else f"{error.width_90:.3f}",
        f"{error.ms_per_row:.2f}",
    )
