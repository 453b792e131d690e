"""When the best on average decides, and the intervals of predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.evaluation.baselines.running_mean import RunningMeanPredictor
from nasoa.online.mixture.layout import Array, Layout
from nasoa.online.predictor.known_runs import KnownRuns, key
from nasoa.online.predictor.safe_predictor import SafePredictor
from nasoa.online.regimes.log_odds import from_log_odds

LAYOUT = Layout(num_columns=2, categories=(0, 1), group=1)


class Perverse(RunningMeanPredictor):
    """Expert that predicts the opposite."""

    weights: dict[str, float] = {}

    def _predict(self, rows: Array) -> Array:
        return 1.0 - super()._predict(rows)


def runs_of(task: int, count: int = 6) -> KnownRuns:
    """Runs of `count` configurations on a task, without expectations."""
    rows = np.column_stack([np.arange(float(count)), np.full(count, float(task))])
    return KnownRuns(
        rows=rows,
        kinds=[key(row[:1].tobytes()) for row in rows],
        tasks=[key(bytes([task]))] * count,
        expected=np.zeros(count),
    )


def taught(predictor: SafePredictor, num_tasks: int = 8) -> SafePredictor:
    """A predictor that has learned that the last of six configurations is the best."""
    rng = np.random.default_rng(0)
    for task in range(num_tasks):
        predictor.learn(runs_of(task), 0.3 + 0.1 * np.arange(6) + 0.02 * rng.uniform(size=6))
    return predictor


@pytest.mark.parametrize("is_perverse", [True, False])
def test_falls_back_when_its_record_is_worse(is_perverse: bool, monkeypatch: Any) -> None:
    predictor = SafePredictor(LAYOUT)
    kind = Perverse if is_perverse else RunningMeanPredictor
    monkeypatch.setattr(predictor, "_mixture", kind(LAYOUT))
    taught(predictor)
    assert (predictor.fallback_reason == "regret") is is_perverse
    assert int(np.argmax(predictor.expected(runs_of(9)))) == 5


def test_may_be_told_not_to_fall_back(monkeypatch: Any) -> None:
    predictor = SafePredictor(LAYOUT, falls_back=False)
    monkeypatch.setattr(predictor, "_mixture", Perverse(LAYOUT))
    assert taught(predictor).decides
    assert int(np.argmax(predictor.expected(runs_of(9)))) == 0


def test_nothing_is_expected_beyond_before_something_was_learned() -> None:
    predictor = SafePredictor(LAYOUT)
    runs = runs_of(0)
    np.testing.assert_array_equal(predictor.expected(runs), runs.expected)
    assert not predictor.decides
    assert predictor.expert_weights == {}
    lows, highs = predictor.intervals(runs)
    assert (highs - lows > 0.8).all()
    with pytest.raises(InvalidInput, match="learned something"):
        predictor.predict_held_out(runs, ["t"] * 6, np.full(6, 0.5))


def test_intervals_hold_what_comes_whoever_decides() -> None:
    """On a new task of the same kind, nine in ten outcomes are inside, whoever decides."""
    rng = np.random.default_rng(1)
    for falls_back in (True, False):
        predictor = SafePredictor(LAYOUT, without=["process"])
        inside = []
        for task in range(40):
            if falls_back:
                predictor._record._error.total = 9.0  # as if the mixture had been worse
                predictor._record._error.count = 99
            runs = runs_of(task)
            accuracies = np.clip(0.3 + 0.1 * np.arange(6) + 0.1 * rng.normal(size=6), 0.0, 1.0)
            lows, highs = predictor.intervals(runs)
            predicted = from_log_odds(predictor.expected(runs))
            assert (lows <= predicted).all()
            assert (predicted <= highs).all()
            if task >= 10:
                inside += ((lows <= accuracies) & (accuracies <= highs)).tolist()
            predictor.learn(runs, accuracies)
        assert 0.8 <= np.mean(inside) <= 0.98


def test_state_is_everything() -> None:
    predictor = taught(SafePredictor(LAYOUT))
    again = SafePredictor.from_state(predictor.state())
    for one in (predictor, again):
        one.learn(runs_of(10), np.linspace(0.2, 0.9, 6))
    runs = runs_of(11)
    np.testing.assert_allclose(again.expected(runs), predictor.expected(runs), atol=1e-9)
    np.testing.assert_allclose(again.intervals(runs), predictor.intervals(runs), atol=1e-9)


@pytest.mark.parametrize("expected", [-1.0, 0.0, 2.0])
def test_intervals_hold_accuracies_of_0_and_1(expected: float) -> None:
    """Both are beyond what is learned, [.005, .995], so a bound at its end must include them."""
    rng = np.random.default_rng(1)
    predictor = SafePredictor(LAYOUT, without=["process"])
    inside = []
    for task in range(40):
        runs = replace(runs_of(task), expected=np.full(6, expected))
        accuracies = rng.choice([0.0, 0.5, 1.0], size=6, p=[0.45, 0.1, 0.45])
        lows, highs = predictor.intervals(runs)
        if task >= 10:
            inside += ((lows <= accuracies) & (accuracies <= highs)).tolist()
        predictor.learn(runs, accuracies)
    assert np.mean(inside) >= 0.8
