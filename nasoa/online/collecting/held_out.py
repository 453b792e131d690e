"""How far a predictor is to be trusted with data sets that it has never seen.

While it learns a table of known fine-tunes one after another, the data sets return, so its own
record of errors is better than it will do on a user's. Here each data set is held out in turn: a
predictor that learned all others is asked about it, and what it says makes the record.
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
    """Records by number of the run, then by collection, so that data sets alternate.

    Raises:
        InvalidInput: a run is there twice.
    """
    looks = Counter((record.run_id, record.iterations) for record in records)
    twice = [run_id for (run_id, _), count in looks.items() if count > 1]
    if twice:
        raise InvalidInput(f"expected each run once, but {twice[0]} is there more than once")
    return sorted(records, key=lambda r: (*reversed(r.run_id.rsplit("-", 1)), r.iterations))


def learned_and_judged(
    records: Sequence[CollectedRecord], processes: int = 1
) -> tuple[ExperiencePredictor, Judged]:
    """A predictor that has learned these records, and the record by which it is trusted.

    Args:
        records: as `in_order_of_runs` gives them, of at least two data sets.
        processes: that learn without one data set each, at the same time.
    """
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    judged = judge_held_out(records, processes=processes)
    predictor.take_record(judged)
    return predictor, judged


def judge_held_out(records: Sequence[CollectedRecord], seed: int = 0, processes: int = 1) -> Judged:
    """What is said of each record by a predictor that knows no run of its data set.

    It takes as long as learning the table once for each data set.

    Args:
        records: of at least two data sets.
        seed: of the predictors and of the order of the result, which is by chance.
        processes: see `learned_and_judged`; the result is the same with any number.

    Raises:
        InvalidInput: all are of one data set.
    """
    datasets = sorted({source_of(record.dataset) for record in records})
    if len(datasets) < 2:
        raise InvalidInput(f"expected records of at least two data sets, got {len(datasets)}")
    judge = partial(_judge, records, seed)
    if processes == 1:
        parts = [judge(dataset) for dataset in datasets]
    else:
        # Not forked: what has threads, as torch does, may hang in a fork.
        with ProcessPoolExecutor(processes, get_context("spawn"), one_thread) as pool:
            parts = list(pool.map(judge, datasets))
    judged = Judged.joined(parts)
    # Records forget what is old, and no data set may count for more than another.
    order = np.random.default_rng(seed).permutation(len(judged.tasks))
    return judged.take(order)


def _judge(records: Sequence[CollectedRecord], seed: int, dataset: str) -> Judged:
    """What is said of one data set's records by a predictor that has learned the others."""
    predictor = ExperiencePredictor(seed)
    predictor.learn_collected(
        [record for record in records if source_of(record.dataset) != dataset]
    )
    return predictor.judge([record for record in records if source_of(record.dataset) == dataset])
