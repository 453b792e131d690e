"""Evaluate predictors on a table of finished runs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from nasoa.cores import one_thread
from nasoa.data.table import Table, read_table
from nasoa.errors import InvalidInput
from nasoa.online.collecting.collected_table import read_table as read_collected
from nasoa.online.evaluation.ablation import Ablation, ablate, variants
from nasoa.online.evaluation.catalogue import PREDICTORS, available, predictor_class
from nasoa.online.evaluation.choice_regret import mean_regret
from nasoa.online.evaluation.progressive import ORDERS, ProgressiveError, evaluate
from nasoa.online.evaluation.subject import BEST_ON_AVERAGE, RANDOM, subject
from nasoa.online.evaluation.task_table import TaskTable, task_table
from nasoa.online.regimes.tabulate import tabulate_collected

MOST_DRAWS = 5
ROWS_OF_ALL_DRAWS = 2500


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Mean regret of choosing with one predictor or baseline."""

    name: str
    regret: float


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Mean regrets over `draws` passes, each of which learns `feedback` rows of every task."""

    feedback: int
    draws: int
    results: list[Regret]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Errors of every predictor in both orders, regrets, and the ablation if it was requested.

    `runs`: number of runs; several rows may be intermediate evaluations of one run.
    `left_out`: columns that the predictors did not see.
    """

    rows: int
    runs: int
    groups: int
    target: str
    duplicate_rows: int
    left_out: list[str]
    seed: int
    error: dict[str, list[ProgressiveError]]
    selection: Selection
    ablation: list[Ablation]


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """Columns of a table, by name.

    Args:
        target: the column to predict, in [0, 1].
        group: the column that identifies the task.
        run: the column that identifies the run (see `task_table`).
        in_percent: whether the target is in percent; it is then divided by 100.
        drop: columns to hide from all predictors, besides those that the file itself names.
    """

    target: str
    group: str
    run: str = ""
    in_percent: bool = False
    drop: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is evaluated, and how.

    Args:
        names: names of predictors; all that are installed by default.
        feedback: maximum number of rows of a task that are learned after the choice for it.
        seed: random seed for orders, feedback and predictors.
        ablation: whether to evaluate the default predictor without each of its parts as well.
    """

    names: tuple[str, ...] = ()
    feedback: int = 12
    seed: int = 0
    ablation: bool = False


ALL_PREDICTORS = EvaluationConfig()

Part = ProgressiveError | Regret | Ablation


def evaluate_table(
    path: str,
    columns: TableColumns,
    config: EvaluationConfig = ALL_PREDICTORS,
    *,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda _done, _all, _name: None,
) -> Evaluation:
    """Evaluate predictors on a table (see `nasoa.online.evaluation.progressive` and `selection`).

    Args:
        path: path of a CSV or Parquet file.
        columns: names of its columns.
        config: the predictors, and the settings of the evaluation.
        jobs: number of processes.
        progress: called with the number of finished parts of the work, the number of all parts,
            and the name of the latest.

    Raises:
        InvalidInput: the table cannot be used, or a name or a number is invalid.
    """
    feedback, seed = config.feedback, config.seed
    for name, least, number in (("feedback", 1, feedback), ("jobs", 1, jobs), ("seed", 0, seed)):
        if number < least:
            raise InvalidInput(f"expected --{name} of at least {least}, got {number}")
    chosen = list(config.names) or available()
    for name in chosen:
        _check_name(name)
    table, left_out = open_table(path, columns)
    draws = max(1, min(MOST_DRAWS, ROWS_OF_ALL_DRAWS // (feedback * table.num_groups)))
    work = _work(chosen, table, feedback, draws, seed)
    if config.ablation:
        each = partial(ablate, table=table, feedback=feedback, draws=draws, seed=seed)
        work += [partial(each, variant) for variant in variants()]
    results: list[Part] = []
    for result in _run(work, jobs):
        results.append(result)
        progress(len(results), len(work), result.name)
    errors = [result for result in results if isinstance(result, ProgressiveError)]
    return Evaluation(
        rows=len(table.rows),
        runs=len(np.unique(table.runs)),
        groups=table.num_groups,
        target=columns.target,
        duplicate_rows=table.num_duplicates,
        left_out=left_out,
        seed=seed,
        error={
            order: errors[i * len(chosen) : (i + 1) * len(chosen)] for i, order in enumerate(ORDERS)
        },
        selection=Selection(
            feedback=feedback,
            draws=draws,
            results=[result for result in results if isinstance(result, Regret)],
        ),
        ablation=[result for result in results if isinstance(result, Ablation)],
    )


def open_table(path: str, columns: TableColumns) -> tuple[TaskTable, list[str]]:
    """Read a table of runs, and return the names of the columns that predictors do not see, too.

    Of nasoa's own records, with no column dropped, the default predictor sees what it sees when it
    recommends a regime.

    Args:
        path: path of a CSV or Parquet file.
        columns: names of its columns.

    Raises:
        InvalidInput: the table cannot be used.
    """
    target, group, run, drop = columns.target, columns.group, columns.run, columns.drop
    whole = read_table(path)
    trainings = [run] if run else []
    left_out = list(dict.fromkeys([*drop, *trainings, *whole.hidden_beside(target, group)]))
    table = task_table(whole.without(drop), target, group, run=run, in_percent=columns.in_percent)
    if _is_of_nasoa(whole, target, group) and not drop:
        table = replace(table, runs_of_nasoa=tabulate_collected(read_collected(Path(path))))
    return table, left_out


def _is_of_nasoa(table: Table, target: str, group: str) -> bool:
    """Whether a table holds collected runs of nasoa, with their accuracy as the target."""
    return (table.run, target, group) == ("run_id", "accuracy", "dataset")


def _work(
    names: list[str], table: TaskTable, feedback: int, draws: int, seed: int
) -> list[Callable[[], Part]]:
    """Return the parts of the work: every predictor's error in each order, then the regrets."""
    return [
        *(partial(evaluate, name, table, order, seed) for order in ORDERS for name in names),
        *(
            partial(regret, name, table, feedback, draws, seed)
            for name in (*names, BEST_ON_AVERAGE, RANDOM)
        ),
    ]


def _check_name(name: str) -> None:
    """Raise `InvalidInput` unless the predictor exists and the package it needs is installed."""
    if name in PREDICTORS and name not in available():
        raise InvalidInput(
            f"expected {PREDICTORS[name].needs} for predictor {name}, but it is not installed; "
            "pip install nasoa[benchmarks]"
        )
    predictor_class(name)


def regret(name: str, table: TaskTable, feedback: int, draws: int, seed: int) -> Regret:
    """Return the mean regret of choosing with the predictor or baseline of a name."""
    fresh = partial(subject, name, table, seed)
    found = mean_regret(fresh, table, feedback=feedback, draws=draws, seed=seed)
    return Regret(name=name, regret=found)


def _run(work: list[Callable[[], Part]], jobs: int) -> Iterator[Part]:
    """Yield the results in order; each is computed on one thread, so times are comparable."""
    if jobs == 1:
        with threadpool_limits(1):
            yield from (part() for part in work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=one_thread) as pool:
        yield from (future.result() for future in [pool.submit(part) for part in work])
