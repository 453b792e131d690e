"""Held-out evaluation: how far a predictor can be trusted on data sets that it has never seen.

While the predictor learns a table of collected fine-tunes one after another, data sets recur, so
its own record of errors is better than it will be on a user's data set. Here each data set is held
out in turn: a predictor that has learned all others predicts it, and these predictions make the
record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from nasoa.cores import one_thread
from nasoa.errors import InvalidInput
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.judged import Judged
from nasoa.online.task.task_name import source_of
from nasoa.records import CollectedRecord


def in_order_of_runs(records: Sequence[CollectedRecord]) -> list[CollectedRecord]:
    """Sort records by number of the run, then by collection, so that data sets alternate.

    Raises:
        InvalidInput: a run occurs twice.
    """
    looks = Counter((record.run_id, record.iterations) for record in records)
    twice = [run_id for (run_id, _), count in looks.items() if count > 1]
    if twice:
        raise InvalidInput(f"expected each run once, but {twice[0]} occurs more than once")
    return sorted(records, key=lambda r: (*reversed(r.run_id.rsplit("-", 1)), r.iterations))


def learned_and_judged(
    records: Sequence[CollectedRecord], processes: int = 1
) -> tuple[ExperiencePredictor, Judged]:
    """Return a predictor that has learned these records, and the record by which it is trusted.

    Args:
        records: records as returned by `in_order_of_runs`, of at least two data sets.
        processes: number of processes, each of which learns without one data set at a time.
    """
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    judged = judge_held_out(records, processes=processes)
    predictor.take_record(judged)
    return predictor, judged


def judge_held_out(records: Sequence[CollectedRecord], seed: int = 0, processes: int = 1) -> Judged:
    """Predict each record with a predictor that has learned no run of its data set.

    This takes as long as learning the table once for each data set.

    Args:
        records: records of at least two data sets.
        seed: random seed for the predictors and for the order of the result.
        processes: see `learned_and_judged`; it does not change the result.

    Raises:
        InvalidInput: all records are of one data set.
    """
    datasets = sorted({source_of(record.dataset) for record in records})
    if len(datasets) < 2:
        raise InvalidInput(f"expected records of at least two data sets, got {len(datasets)}")
    judge = partial(_judge, records, seed)
    if processes == 1:
        parts = [judge(dataset) for dataset in datasets]
    else:
        # Not forked: libraries with threads, such as torch, may hang after a fork.
        with ProcessPoolExecutor(processes, get_context("spawn"), one_thread) as pool:
            parts = list(pool.map(judge, datasets))
    judged = Judged.joined(parts)
    # Old observations are discounted, so shuffle: no data set may count for more than another.
    order = np.random.default_rng(seed).permutation(len(judged.tasks))
    return judged.take(order)


def _judge(records: Sequence[CollectedRecord], seed: int, dataset: str) -> Judged:
    """Predict one data set's records with a predictor that has learned the others."""
    predictor = ExperiencePredictor(seed)
    predictor.learn_collected(
        [record for record in records if source_of(record.dataset) != dataset]
    )
    return predictor.judge([record for record in records if source_of(record.dataset) == dataset])
