"""How well each predictor does on a table of finished runs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from threadpoolctl import threadpool_limits

from nasoa.data.table import read_table
from nasoa.errors import InvalidInput
from nasoa.online.predictors.catalogue import available, make
from nasoa.online.progressive import ORDERS, ProgressiveError, evaluate
from nasoa.online.safe_choice import PredictedBest, SafeChoice
from nasoa.online.selection import BestOnAverage, Indifferent, mean_regret
from nasoa.online.task_table import TaskTable, task_table

MOST_DRAWS = 5
ROWS_OF_ALL_DRAWS = 2500


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Mean regret of a way to choose."""

    name: str
    regret: float


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Regrets after `feedback` runs of each task; means over `draws` draws of these."""

    feedback: int
    draws: int
    results: list[Regret]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Errors of every predictor in both orders, and regrets."""

    rows: int
    groups: int
    target: str
    duplicate_rows: int
    seed: int
    error: dict[str, list[ProgressiveError]]
    selection: Selection


def evaluate_table(
    path: str,
    target: str,
    group: str,
    *,
    feedback: int = 12,
    names: tuple[str, ...] = (),
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda _done, _all, _name: None,
) -> Evaluation:
    """Evaluate predictors on a table (see `nasoa.online.progressive` and `selection`).

    Args:
        path: a CSV or Parquet file.
        target: the column to predict, in [0, 1].
        group: the column that tells tasks apart.
        feedback: runs of a task that are learned after the choice for it.
        names: of predictors; all that are installed by default.
        seed: of orders, feedback and predictors.
        jobs: processes that share the work.
        progress: called with how many parts of the work are done, of how many, and which was last.

    Raises:
        InvalidInput: the table cannot be used, or a name or number is wrong.
    """
    if feedback < 1:
        raise InvalidInput(f"expected feedback of at least 1 run, got {feedback}")
    if jobs < 1:
        raise InvalidInput(f"expected at least 1 job, got {jobs}")
    chosen = list(names) or available()
    table = task_table(read_table(path), target, group)
    for name in chosen:
        make(name, table.layout)
    draws = max(1, min(MOST_DRAWS, ROWS_OF_ALL_DRAWS // (feedback * table.num_groups)))
    work: list[Callable[[], ProgressiveError | Regret]] = [
        *(partial(evaluate, name, table, order, seed) for order in ORDERS for name in chosen),
        *(partial(regret, name, table, feedback, draws, seed) for name in chosen),
        partial(regret, "best_on_average", table, feedback, draws, seed),
        partial(regret, "random", table, feedback, draws, seed),
    ]
    results: list[ProgressiveError | Regret] = []
    for result in _run(work, jobs):
        results.append(result)
        progress(len(results), len(work), result.name)
    errors = [result for result in results if isinstance(result, ProgressiveError)]
    return Evaluation(
        rows=len(table.rows),
        groups=table.num_groups,
        target=target,
        duplicate_rows=table.num_duplicates,
        seed=seed,
        error={
            order: errors[i * len(chosen) : (i + 1) * len(chosen)] for i, order in enumerate(ORDERS)
        },
        selection=Selection(
            feedback=feedback,
            draws=draws,
            results=[result for result in results if isinstance(result, Regret)],
        ),
    )


def regret(name: str, table: TaskTable, feedback: int, draws: int, seed: int) -> Regret:
    """The mean regret of choosing by the predictor of that name.

    The default predictor's choice is the safe one; `best_on_average` and `random` are no
    predictors.
    """

    def fresh() -> BestOnAverage | Indifferent | PredictedBest | SafeChoice:
        if name == "best_on_average":
            return BestOnAverage(table.layout)
        if name == "random":
            return Indifferent()
        predictor = make(name, table.layout, seed)
        return SafeChoice(predictor) if name == "default" else PredictedBest(predictor)

    found = mean_regret(fresh, table, feedback=feedback, draws=draws, seed=seed)
    return Regret(name=name, regret=found)


def _run(
    work: list[Callable[[], ProgressiveError | Regret]], jobs: int
) -> Iterator[ProgressiveError | Regret]:
    """The results in order; each on one thread, so that times can be compared."""
    if jobs == 1:
        with threadpool_limits(1):
            yield from (part() for part in work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_one_thread) as pool:
        yield from (future.result() for future in [pool.submit(part) for part in work])


def _one_thread() -> None:
    threadpool_limits(1)
