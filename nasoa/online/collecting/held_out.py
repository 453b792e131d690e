"""Held-out evaluation: how far a predictor can be trusted on data sets that it has never seen.

While the predictor learns a table of collected fine-tunes one after another, data sets recur, so
its own record of errors is better than it will be on a user's data set. Here each data set is held
out in turn: a predictor that has learned all others predicts it, and these predictions make the
record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context

import numpy as np

from nasoa.cores import one_thread
from nasoa.errors import InvalidInput
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions
from nasoa.online.task.task_name import source_of
from nasoa.records import CollectedRecord
from nasoa.work_progress import report_progress

HELD_OUT = "data sets held out"


def sort_by_run(records: Sequence[CollectedRecord]) -> list[CollectedRecord]:
    """Sort records by number of the run, then by collection, so that data sets alternate.

    Raises:
        InvalidInput: a run occurs twice.
    """
    evaluations = Counter((record.run_id, record.iterations) for record in records)
    twice = [run_id for (run_id, _), count in evaluations.items() if count > 1]
    if twice:
        raise InvalidInput(f"expected each run once, but {twice[0]} occurs more than once")
    return sorted(records, key=lambda r: (*reversed(r.run_id.rsplit("-", 1)), r.iterations))


def learn_and_hold_out(
    records: Sequence[CollectedRecord], processes: int = 1
) -> tuple[ExperiencePredictor, HeldOutPredictions]:
    """Return a predictor that has learned these records, and the record by which it is trusted.

    Args:
        records: records as returned by `sort_by_run`, of at least two data sets.
        processes: number of processes, each of which learns without one data set at a time.
    """
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    held_out = predict_held_out(records, processes=processes)
    predictor.replace_record(held_out)
    return predictor, held_out


def predict_held_out(
    records: Sequence[CollectedRecord], seed: int = 0, processes: int = 1
) -> HeldOutPredictions:
    """Predict each record with a predictor that has learned no run of its data set.

    This takes as long as learning the table once for each data set.

    Args:
        records: records of at least two data sets.
        seed: random seed for the predictors and for the order of the result.
        processes: see `learn_and_hold_out`; it does not change the result.

    Raises:
        InvalidInput: all records are of one data set.
    """
    datasets = sorted({source_of(record.dataset) for record in records})
    if len(datasets) < 2:
        raise InvalidInput(f"expected records of at least two data sets, got {len(datasets)}")
    predict = partial(_predict, records, seed)
    parts: list[HeldOutPredictions] = []
    with ExitStack() as stack:
        predictions: Iterable[HeldOutPredictions] = map(predict, datasets)
        if processes > 1:
            # Not forked: libraries with threads, such as torch, may hang after a fork.
            pool = ProcessPoolExecutor(processes, get_context("spawn"), one_thread)
            predictions = stack.enter_context(pool).map(predict, datasets)
        report_progress(HELD_OUT, 0, len(datasets))
        for part in predictions:
            parts.append(part)
            report_progress(HELD_OUT, len(parts), len(datasets))
    held_out = HeldOutPredictions.concat(parts)
    # Old observations are discounted, so shuffle: no data set may count for more than another.
    order = np.random.default_rng(seed).permutation(len(held_out.tasks))
    return held_out.take(order)


def _predict(records: Sequence[CollectedRecord], seed: int, dataset: str) -> HeldOutPredictions:
    """Predict one data set's records with a predictor that has learned the others."""
    predictor = ExperiencePredictor(seed)
    predictor.learn_collected(
        [record for record in records if source_of(record.dataset) != dataset]
    )
    return predictor.predict_held_out(
        [record for record in records if source_of(record.dataset) == dataset]
    )
