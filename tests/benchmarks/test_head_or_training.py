"""The rules that say when a training is kept instead of the head alone."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.head_or_training import PART, judged, paired
from nasoa.records import HEAD_ONLY


def run(name: str, frozen: int, iterations: int, val: float, test: float, **part: object) -> object:
    fixed = {
        "dataset": "flowers",
        "num_images": 900,
        "num_classes": 5,
        "landmark_accuracy": 0.5,
        "domain_similarity": 0.8,
        "model": "efficientnet-lite0",
        "resolution": 160,
    }
    assert list(fixed) == PART
    found = {"run_id": name, "frozen_stages": frozen, "iterations": iterations}
    return {**fixed, **found, "val_accuracy": val, "accuracy": test, **part}


RUNS = pd.DataFrame(
    [
        run("head", HEAD_ONLY, 5, 0.7, 0.6),
        run("head", HEAD_ONLY, 10, 0.8, 0.7),
        run("slightly better", 3, 50, 0.1, 0.1),
        run("slightly better", 3, 99, 0.81, 0.5),
        run("better", -1, 99, 0.9, 0.9),
        run("elsewhere", 3, 99, 0.9, 0.9, resolution=96),
    ]
)


def test_trainings_are_compared_with_the_longest_head_of_the_same_part() -> None:
    pairs = paired(RUNS)
    assert sorted(pairs["run_id"]) == ["better", "slightly better"]
    assert set(pairs["accuracy_head"]) == {0.7}
    assert sorted(pairs["accuracy"]) == [0.5, 0.9]


def test_a_rule_keeps_what_is_far_enough_ahead() -> None:
    """Of 100 validation images with an accuracy of 0.8, the standard error is 0.04."""
    found = judged(paired(RUNS))
    assert found["trainings"] == 2
    assert found["trainings_ahead_of_the_head"] == 0.5
    accuracy = found["accuracy"]
    assert accuracy["the head alone"] == pytest.approx(0.7)
    assert accuracy["the training"] == pytest.approx(0.7)
    assert accuracy["the better"] == pytest.approx(0.8)
    assert accuracy["ahead by 0 standard errors"] == pytest.approx(0.7)
    assert accuracy["ahead by 0.5 standard errors"] == pytest.approx(0.8)
    assert accuracy["ahead by 2 standard errors"] == pytest.approx(0.8)
