"""Defining properties of individual baselines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nasoa.online.evaluation.baselines.linear import BayesianLinear
from nasoa.online.evaluation.baselines.ridge import RidgePredictor
from nasoa.online.evaluation.baselines.running_mean import RunningMeanPredictor
from nasoa.online.evaluation.baselines.trees import BoostedTrees
from nasoa.online.mixture.history import History
from nasoa.online.mixture.layout import Layout


def test_recursive_regression_is_ridge() -> None:
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(30, 4)), rng.normal(size=30)
    model = BayesianLinear(4, variance=2.0)
    for row, target in zip(rows, targets, strict=True):
        model.learn(row, target)
    x = np.column_stack([rows, np.ones(30)])
    penalty = np.diag([0.5, 0.5, 0.5, 0.5, 0.01])
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ targets)
    np.testing.assert_allclose(model.predict(rows), x @ weights, atol=1e-9)


def test_effects_of_task_and_configuration_add_up() -> None:
    """An unseen pair of task and configuration is predicted from both effects."""
    layout = Layout(num_columns=2, categories=(0, 1), group=1)
    predictor = RunningMeanPredictor(layout)
    for _ in range(20):
        for configuration, task, target in ((0, 0, 0.9), (1, 0, 0.7), (0, 1, 0.5), (2, 1, 0.5)):
            predictor.learn([configuration, task], target)
    assert predictor.predict([1, 1]) == pytest.approx(0.3, abs=0.1)
    assert predictor.predict([2, 0]) == pytest.approx(0.9, abs=0.1)


def test_a_shared_history_is_saved_by_its_owner_alone(stream: Any) -> None:
    history = History(stream.layout.num_columns)
    sharing = RidgePredictor(stream.layout, history=history)
    alone = RidgePredictor(stream.layout)
    for row, target in zip(stream.rows[:20], stream.targets[:20], strict=True):
        history.append(row, target)
        sharing.learn(row, target)
        alone.learn(row, target)
    assert not [name for name in sharing.state() if name.startswith("history")]
    again = RidgePredictor.from_state(sharing.state(), history)
    for predictor in (sharing, again):
        np.testing.assert_array_equal(predictor.predict(stream.rows), alone.predict(stream.rows))


def draw(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with two categories and two numbers, some of them missing."""
    rng = np.random.default_rng(seed)
    columns = np.column_stack(
        [
            rng.integers(0, 40, num_rows),
            rng.integers(0, 3, num_rows),
            rng.normal(size=(num_rows, 2)),
        ]
    ).astype(np.float64)
    targets = np.sin(columns[:, 0]) + columns[:, 1] * columns[:, 2]
    columns[rng.uniform(size=columns.shape) < 0.1] = np.nan
    return columns, np.nan_to_num(targets)


def test_codes_need_not_be_whole_ranges() -> None:
    """Codes far apart, and one unseen code, which counts as missing."""
    columns, targets = draw(200, 0)
    spread = columns.copy()
    spread[:, 0] *= 1000
    near = BoostedTrees(columns, targets, [0, 1], 0)
    far = BoostedTrees(spread, targets, [0, 1], 0)
    np.testing.assert_allclose(near.predict(columns), far.predict(spread), atol=1e-12)
    unseen, missing = columns[:5].copy(), columns[:5].copy()
    unseen[:, 0], missing[:, 0] = 12345.0, np.nan
    np.testing.assert_array_equal(near.predict(unseen), near.predict(missing))


def test_categories_are_fitted() -> None:
    columns, targets = draw(400, 0)
    model = BoostedTrees(columns, targets, [0, 1], 0)
    asked, wanted = draw(200, 1)
    error = np.abs(model.predict(asked) - wanted).mean()
    assert error < 0.7 * np.abs(wanted - targets.mean()).mean()
