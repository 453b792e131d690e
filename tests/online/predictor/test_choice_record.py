"""When the best on average decides instead of the predictor."""

from __future__ import annotations

import numpy as np

from nasoa.online.predictor.choice_record import LEAST_RUNS, LEAST_TASKS, ChoiceRecord

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
