"""When the best on average decides instead of the predictor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.online.predictor.choice_record import LEAST_RUNS, LEAST_TASKS, ChoiceRecord
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions

REACHED = np.array([0.5, 0.7, 0.9])
RIGHT, WRONG = np.array([0.0, 0.1, 0.2]), np.array([0.2, 0.1, 0.0])


def test_a_new_record_is_good() -> None:
    assert ChoiceRecord().fallback_reason == ""


def test_regret_counts_from_three_tasks_on() -> None:
    record = ChoiceRecord()
    for number in range(1, LEAST_TASKS + 1):
        record.observe_task(WRONG, RIGHT, REACHED)
        assert record.fallback_reason == ("regret" if number == LEAST_TASKS else "")
    for _ in range(LEAST_TASKS):
        record.observe_task(RIGHT, WRONG, REACHED)
    assert record.fallback_reason == ""


def test_one_run_says_nothing_of_choices() -> None:
    record = ChoiceRecord()
    for _ in range(10):
        record.observe_task(WRONG[:1], RIGHT[:1], REACHED[:1])
    assert record.fallback_reason == ""


def test_one_bad_task_among_many_is_chance() -> None:
    record = ChoiceRecord()
    record.observe_task(WRONG, RIGHT, REACHED)
    for _ in range(20):
        record.observe_task(RIGHT, RIGHT, REACHED)
    assert record.fallback_reason == ""
    record.observe_task(WRONG, RIGHT, REACHED)
    assert record.fallback_reason == "regret"


def test_error_counts_from_twenty_runs_on_and_is_forgotten() -> None:
    record = ChoiceRecord()
    for number in range(1, LEAST_RUNS + 1):
        record.observe_run(0.5, 0.8, 0.9)
        assert record.fallback_reason == ("error" if number == LEAST_RUNS else "")
    for _ in range(LEAST_RUNS + 5):
        record.observe_run(0.9, 0.6, 0.9)
    assert record.fallback_reason == ""


@pytest.mark.parametrize("seed", range(20))
def test_predictions_of_runs_that_were_not_learned_count_in_any_order(seed: int) -> None:
    """Both err alike on average, so the last fifty in some order would tell a difference."""
    count = 1000
    found = np.random.default_rng(0).permutation(np.resize([0.4, 0.6], count))
    held_out = HeldOutPredictions(
        tasks=[str(number // 4) for number in range(count)],
        experts=np.zeros((count, 1)),
        targets=np.zeros(count),
        mixture=np.full(count, 0.45),
        average=np.full(count, 0.56),
        accuracies=found,
    )
    shuffled = held_out.take(np.random.default_rng(seed).permutation(count))
    assert ChoiceRecord.of_held_out(shuffled).fallback_reason == ""
    reached = shuffled.accuracies
    worse = replace(shuffled, mixture=1.0 - reached, average=reached)
    assert ChoiceRecord.of_held_out(worse).fallback_reason == "regret"


def test_state_is_everything() -> None:
    record = ChoiceRecord()
    record.observe_task(WRONG, RIGHT, REACHED)
    record.observe_run(0.5, 0.6, 0.7)
    again = ChoiceRecord.from_state(record.state())
    for one in (record, again):
        one.observe_task(WRONG, RIGHT, REACHED)
        one.observe_task(WRONG, RIGHT, REACHED)
    assert again.fallback_reason == record.fallback_reason == "regret"
    for name, values in record.state().items():
        np.testing.assert_array_equal(again.state()[name], values)
