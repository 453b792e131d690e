"""Aggregation, interval and the default predictor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from nasoa.errors import InvalidInput
from nasoa.online.mixture.aggregation import Aggregation
from nasoa.online.mixture.hierarchical import HierarchicalPredictor
from nasoa.online.mixture.history import RefitSchedule
from nasoa.online.mixture.layout import MOST_COLUMNS, Array, Layout
from nasoa.online.mixture.mixture import EXPERTS, DefaultPredictor
from nasoa.online.mixture.prediction_interval import AdaptiveInterval
from nasoa.online.mixture.process import ProcessPredictor
from nasoa.online.mixture.with_history import HistoryPredictor


def run(aggregation: Aggregation, predictions: Array, targets: Array) -> Array:
    found = np.empty(len(targets))
    for step, target in enumerate(targets.tolist()):
        found[step] = aggregation.combine(predictions[step : step + 1])[0]
        aggregation.learn(predictions[step], target)
    return found


@pytest.mark.parametrize("best", [0, 1, 2])
def test_follows_the_best_expert_whatever_it_trusted(best: int) -> None:
    rng = np.random.default_rng(best)
    targets = rng.uniform(0.2, 0.8, 600)
    noise = np.full(3, 0.2)
    noise[best] = 0.01
    predictions = np.clip(targets[:, None] + noise * rng.normal(size=(600, 3)), 0, 1)
    found = run(Aggregation(np.array([0.9, 0.05, 0.05])), predictions, targets)
    late = slice(300, 600)
    own = np.mean((predictions[late, best] - targets[late]) ** 2)
    assert np.mean((found[late] - targets[late]) ** 2) < 2.0 * own


def test_two_experts_that_err_in_turn_are_better_together() -> None:
    rng = np.random.default_rng(0)
    targets = rng.uniform(0.3, 0.7, 500)
    away = 0.1 * rng.normal(size=500)
    predictions = np.column_stack([targets + away, targets - away]).clip(0, 1)
    found = run(Aggregation(np.array([0.8, 0.2])), predictions, targets)
    assert np.abs(found - targets)[250:].mean() < 0.2 * np.abs(away)[250:].mean()


def test_follows_when_the_best_expert_changes() -> None:
    rng = np.random.default_rng(0)
    targets = rng.uniform(0.3, 0.7, 800)
    first, second = np.where(np.arange(800)[:, None] < 400, [0.01, 0.2], [0.2, 0.01]).T
    predictions = targets[:, None] + np.column_stack([first, second]) * rng.choice(
        [-1, 1], (800, 2)
    )
    found = run(Aggregation(np.ones(2)), np.clip(predictions, 0, 1), targets)
    assert np.abs(found - targets)[600:].mean() < 0.04


def test_restored_aggregation_goes_on_equally() -> None:
    rng = np.random.default_rng(0)
    predictions, targets = rng.uniform(size=(60, 3)), rng.uniform(size=60)
    one, other = Aggregation(np.ones(3)), Aggregation(np.ones(3))
    run(one, predictions[:40], targets[:40])
    other.restore(one.state())
    np.testing.assert_array_equal(
        run(one, predictions[40:], targets[40:]), run(other, predictions[40:], targets[40:])
    )


@pytest.mark.parametrize("drift", ["none", "sudden", "growing", "heavy tails"])
def test_interval_holds_its_share_on_drifting_streams(drift: str) -> None:
    rng = np.random.default_rng(1)
    count = 1000
    scale = {
        "none": np.full(count, 0.05),
        "sudden": np.where(np.arange(count) % 500 < 250, 0.02, 0.2),
        "growing": np.linspace(0.01, 0.3, count),
        "heavy tails": np.full(count, 0.03),
    }[drift]
    shape = rng.standard_t(2, count) if drift == "heavy tails" else rng.normal(size=count)
    interval, inside = AdaptiveInterval(), 0
    for error in np.abs(scale * shape).tolist():
        inside += error <= float(interval.half_width(np.zeros(1))[0])
        interval.observe(0.0, error)
    assert 0.87 <= inside / count <= 0.93


def test_interval_is_wider_where_experts_disagree() -> None:
    narrow, wide = AdaptiveInterval().half_width(np.array([0.0, 0.5]))
    assert wide > narrow


def test_default_gives_an_interval_around_its_prediction(stream: Any) -> None:
    predictor = DefaultPredictor(stream.layout)
    predictor.learn(stream.rows[:15], stream.targets[:15])
    lows, highs = predictor.intervals(stream.rows[20:22])
    predicted = predictor.predict(stream.rows[20:22])
    assert ((lows >= 0.0) & (lows <= predicted) & (predicted <= highs) & (highs <= 1.0)).all()
    assert sum(predictor.weights.values()) == pytest.approx(1.0)


def test_a_full_history_is_saved_and_loaded_exactly(stream: Any, monkeypatch: Any) -> None:
    """A restored predictor continues equally after rows and runs of tasks were dropped."""
    monkeypatch.setattr(HistoryPredictor, "CAPACITY", 60)
    monkeypatch.setattr(HierarchicalPredictor, "WINDOW", 40)
    monkeypatch.setattr(ProcessPredictor, "WINDOW", 40)
    monkeypatch.setattr("nasoa.online.mixture.process.BASE_SIZE", 20)
    monkeypatch.setattr("nasoa.online.mixture.process.TASK_SIZE", 8)
    for kind in (HierarchicalPredictor, ProcessPredictor):
        name = "REFIT" if kind is ProcessPredictor else "SCHEDULE"
        monkeypatch.setattr(kind, name, RefitSchedule(growth=0.3, at_least=4, at_most=20))
    rows, targets = np.tile(stream.rows, (3, 1)), np.tile(stream.targets, 3)
    rows[:, 1] *= np.random.default_rng(0).uniform(0.5, 2.0, len(rows))
    predictor = DefaultPredictor(stream.layout)
    predictor.learn(rows[:112], targets[:112])
    again = DefaultPredictor.from_state(load(save(predictor.state())))
    np.testing.assert_allclose(again.predict(rows), predictor.predict(rows), atol=1e-8)
    for each in (predictor, again):
        each.learn(rows[112:117], targets[112:117])
    np.testing.assert_allclose(again.predict(rows), predictor.predict(rows), atol=1e-6)


@pytest.mark.parametrize("left_out", sorted(EXPERTS))
def test_every_expert_can_be_left_out(stream: Any, left_out: str) -> None:
    predictor = DefaultPredictor(stream.layout, without=[left_out])
    predictor.learn(stream.rows[:11], stream.targets[:11])
    assert left_out not in predictor.weights
    assert 0.0 <= predictor.predict(stream.rows[20]) <= 1.0


def test_some_expert_must_stay(stream: Any) -> None:
    with pytest.raises(InvalidInput, match="left out"):
        DefaultPredictor(stream.layout, without=list(EXPERTS))


NO_LAYOUTS = [
    *((0, ()), (MOST_COLUMNS + 1, ()), (2**40, (0, 1))),
    *((3, (3,)), (3, (-1,)), (3, (1, 1)), (3, (2, 1))),
]


@pytest.mark.parametrize(("num_columns", "categories"), NO_LAYOUTS)
def test_layouts_that_cannot_be(num_columns: int, categories: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"columns|categories"):
        Layout(num_columns=num_columns, categories=categories)
