"""`nasoa predictor`: versions of the predictor, and evaluation of predictors on a table."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nasoa.cli import predictor_versions
from nasoa.cli.output import Subparsers, counting_bar, seed, show, show_count, table, user_path
from nasoa.errors import InvalidInput

if TYPE_CHECKING:
    from nasoa.online.evaluation.ablation import Ablation
    from nasoa.online.evaluation.progressive import ProgressiveError
    from nasoa.steps.evaluate_predictor import Evaluation

MOST_JOBS = 2


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `predictor evaluate`, `predictor table`, and the verbs for versions."""
    group = verbs.add_parser("predictor", help="the predictor's versions, and its evaluation")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    predictor_versions.add_verbs(own, shared)
    evaluate = own.add_parser(
        "evaluate",
        parents=[shared],
        help="evaluate predictors on a table of finished runs: predict, then learn",
    )
    evaluate.add_argument(
        "table", metavar="TABLE", help="CSV or Parquet file with one run, or evaluation, per row"
    )
    evaluate.add_argument(
        "--target", required=True, metavar="COL", help="column of the accuracy, in [0, 1]"
    )
    evaluate.add_argument(
        "--percent", action="store_true", help="the target is in percent: divide it by 100"
    )
    evaluate.add_argument(
        "--group", required=True, metavar="COL", help="column of the task, such as the data set"
    )
    evaluate.add_argument(
        "--run",
        dest="run_column",
        default="",
        metavar="COL",
        help="column of the run, if a run has several rows (intermediate evaluations): all of them "
        "are predicted before any is learned (default: the column that a Parquet file names, or "
        "none)",
    )
    evaluate.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="COL",
        help="column to hide from all predictors; may be given several times",
    )
    evaluate.add_argument(
        "--feedback",
        type=int,
        default=12,
        metavar="N",
        help="rows of a task that are learned after the choice for it (default: 12)",
    )
    evaluate.add_argument(
        "--predictor",
        action="append",
        default=[],
        metavar="NAME",
        help="evaluate only this predictor; may be given several times (default: all installed)",
    )
    evaluate.add_argument(
        "--ablation",
        action="store_true",
        help="also evaluate the default predictor without each of its parts; takes several times "
        "as long",
    )
    evaluate.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    evaluate.add_argument(
        "--jobs",
        type=int,
        default=min(MOST_JOBS, os.cpu_count() or 1),
        metavar="N",
        help="number of processes (default: 2, or 1 on a single processor)",
    )
    evaluate.set_defaults(run=run_evaluate)
    collected = own.add_parser(
        "table", parents=[shared], help="write the collected fine-tunes that come with the package"
    )
    collected.add_argument(
        "-o", "--output", required=True, type=user_path, metavar="FILE", help=".parquet or .csv"
    )
    collected.set_defaults(run=run_table)


def run_evaluate(arguments: argparse.Namespace) -> None:
    """Evaluate predictors on a table and print their errors and regrets."""
    # The import takes a second.
    from nasoa.steps.evaluate_predictor import (  # noqa: PLC0415
        EvaluationConfig,
        TableColumns,
        evaluate_table,
    )

    with counting_bar(1, "parts") as bar:

        def progress(done: int, total: int, name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            show_count(bar, done, total)

        evaluation = evaluate_table(
            arguments.table,
            TableColumns(
                target=arguments.target,
                group=arguments.group,
                run=arguments.run_column,
                in_percent=arguments.percent,
                drop=arguments.drop,
            ),
            EvaluationConfig(
                names=tuple(dict.fromkeys(arguments.predictor)),
                feedback=arguments.feedback,
                seed=arguments.seed,
                ablation=arguments.ablation,
            ),
            jobs=arguments.jobs,
            progress=progress,
        )
    if evaluation.left_out:
        sys.stderr.write(f"nasoa: not shown to predictors: {', '.join(evaluation.left_out)}\n")
    if evaluation.duplicate_rows:
        sys.stderr.write(
            f"nasoa: {evaluation.duplicate_rows} rows are duplicates of earlier ones; they were "
            "kept, and make errors in random order look smaller than they are\n"
        )
    show(arguments, evaluation, _text(evaluation))


def run_table(arguments: argparse.Namespace) -> None:
    """Write the packaged run table; as CSV, without the columns that predictors may not see."""
    from nasoa.online.collecting.collected_table import write_csv, write_table  # noqa: PLC0415
    from nasoa.online.collecting.starter import collected_runs  # noqa: PLC0415

    writers = {".parquet": write_table, ".csv": write_csv}
    path: Path = arguments.output
    if path.suffix not in writers:
        raise InvalidInput(f"expected a file that ends in .parquet or .csv, got {path}")
    runs = collected_runs()
    writers[path.suffix](runs, path)
    document = {"file": str(path), "records": len(runs)}
    show(arguments, document, f"Wrote {len(runs)} records to {path}.")


def _text(evaluation: Evaluation) -> str:
    looks = f"{evaluation.rows} evaluations of " if evaluation.rows > evaluation.runs else ""
    parts = [
        f"{looks}{evaluation.runs} runs of {evaluation.groups} tasks, target {evaluation.target}"
    ]
    header = ("", "MAE", "MSE", "first 20 %", "last 20 %", "90 % coverage", "width", "ms per row")
    for order, errors in evaluation.error.items():
        rows = [_error_row(error) for error in sorted(errors, key=lambda error: error.mae)]
        parts.append(f"Error, {order.replace('_', ' ')}\n{table(header, rows)}")
    selection = evaluation.selection
    regrets = [
        (result.name, f"{result.regret:.4f}")
        for result in sorted(selection.results, key=lambda result: result.regret)
    ]
    title = f"Regret of the choice, with {selection.feedback} rows learned of each task"
    parts.append(f"{title}\n{table(('', 'regret'), regrets)}")
    if evaluation.ablation:
        parts.append(_ablation_text(evaluation.ablation))
    return "\n\n".join(parts)


def _ablation_text(ablations: list[Ablation]) -> str:
    header = ("", "MAE random", "MAE by group", "regret", "90 % coverage", "width")
    rows = table(header, [_ablation_row(ablation) for ablation in ablations])
    return f"The default predictor with parts left out; intervals group by group\n{rows}"


def _ablation_row(ablation: Ablation) -> tuple[str, ...]:
    errors = list(ablation.error.values())
    if not errors:
        return (ablation.name, "", "", f"{ablation.regret:.4f}", "", "")
    *_, inside, width, _ = _error_row(errors[-1])
    maes = [f"{error.mae:.4f}" for error in errors]
    return (ablation.name, *maes, f"{ablation.regret:.4f}", inside, width)


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
