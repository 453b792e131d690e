"""Defining properties of individual learners, and streams on which they are better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.online.evaluation.baselines.ridge import RidgePredictor
from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.hierarchical import HierarchicalPredictor
from nasoa.online.mixture.history import History, RefitSchedule
from nasoa.online.mixture.layout import Layout


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 20))
def test_history_keeps_the_latest(values: list[float], capacity: int) -> None:
    history = History(1, capacity)
    for value in values:
        history.append(np.array([value]), value)
    assert history.targets.tolist() == values[-capacity:]
    assert history.rows[:, 0].tolist() == values[-capacity:]
    assert history.count == len(values)
    again = History.from_state(history.state())
    assert again.targets.tolist() == history.targets.tolist()
    assert again.count == history.count


def test_schedule_costs_a_constant_share() -> None:
    schedule = RefitSchedule(growth=0.25, at_least=4, at_most=500)
    fits, fitted_at = [], 0
    for count in range(1, 5001):
        if schedule.is_due(count, fitted_at):
            fits.append(count)
            fitted_at = count
    assert np.diff(fits).max() <= 500
    assert sum(fits) < 9 * 5000


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4), st.floats(-1e6, 1e6) | st.just(float("nan")), st.integers(0, 3)
        ),
        max_size=12,
    )
)
def test_encoding_is_finite_and_small(found: list[tuple[int, float, int]]) -> None:
    layout = Layout(num_columns=3, categories=(0, 2), group=2)
    rows = np.array(found, dtype=np.float64).reshape(-1, 3)
    encoding = Encoding(layout, rows)
    strange = np.array([[9.0, np.nan, 9.0], [0.0, 1e300, 0.0]])
    for some in (rows, strange):
        encoded = encoding.encode(some)
        assert encoded.shape == (len(some), encoding.width)
        assert np.isfinite(encoded).all()
        assert (np.abs(encoded) <= 3.0).all()


def test_a_new_category_gets_a_column_of_its_own() -> None:
    layout = Layout(num_columns=1, categories=(0,))
    encoding = Encoding(layout, np.array([[0.0], [1.0]]))
    assert encoding.encode(np.array([[5.0]])).sum() == 0.0
    assert encoding.admit(np.array([5.0]))
    encoded = encoding.encode(np.array([[0.0], [1.0], [5.0]]))
    assert np.linalg.matrix_rank(encoded) == 3
    admitted = sum(encoding.admit(np.array([float(code)])) for code in range(10, 200))
    assert admitted < 20


def test_learning_rates_are_seen_by_their_logarithm() -> None:
    layout = Layout(num_columns=1)
    encoding = Encoding(layout, np.array([[1e-4], [1e-3], [1e-2]]))
    encoded = encoding.encode(np.array([[1e-4], [1e-3], [1e-2]]))[:, 0]
    assert encoded[1] == pytest.approx(0.0, abs=1e-9)
    assert encoded[2] == pytest.approx(-encoded[0])


def test_hierarchical_follows_runs_exactly(stream: Any) -> None:
    """Learning runs one by one gives the same weights as fitting all of them at once."""
    predictor = HierarchicalPredictor(stream.layout)
    for row, target in zip(stream.rows, stream.targets, strict=True):
        predictor.predict(row)
        predictor.learn(row, target)
    unasked = HierarchicalPredictor(stream.layout)
    unasked.learn(stream.rows, stream.targets)
    np.testing.assert_allclose(
        predictor.predict(stream.rows), unasked.predict(stream.rows), atol=1e-10
    )


def test_hierarchical_adapts_to_a_new_task_from_few_runs() -> None:
    """Tasks differ in level and slope; after three runs of a new one its error is below ridge's."""
    rng = np.random.default_rng(0)
    layout = Layout(num_columns=2, categories=(1,), group=1)
    slopes = rng.normal(0.0, 0.08, 13)
    levels = rng.uniform(0.4, 0.6, 13)
    rows = np.array([[x, task] for task in range(13) for x in rng.normal(size=12)])
    tasks = rows[:, 1].astype(int)
    targets = np.clip(levels[tasks] + slopes[tasks] * np.clip(rows[:, 0], -2, 2), 0, 1)
    known, asked = slice(0, 12 * 12 + 3), slice(12 * 12 + 3, 13 * 12)
    errors = []
    for predictor in (HierarchicalPredictor(layout), RidgePredictor(layout)):
        predictor.learn(rows[known], targets[known])
        errors.append(np.abs(predictor.predict(rows[asked]) - targets[asked]).mean())
    assert errors[0] < 0.5 * errors[1]
