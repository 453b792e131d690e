"""The running interval covers what it says, and keeps a bounded state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.predictor.running_interval import RunningInterval


def test_wide_while_it_cannot_tell() -> None:
    interval = RunningInterval()
    assert interval.around(0.4) == (0.0, 0.9)
    interval.observe(np.full(8, 0.5), np.full(8, 0.51))
    assert interval.half_width == 0.5
    interval.observe(0.5, 0.51)
    assert interval.half_width == pytest.approx(0.01)


def test_a_larger_error_than_the_default_counts_at_once() -> None:
    interval = RunningInterval()
    interval.observe(0.1, 0.9)
    assert interval.half_width == pytest.approx(0.8)


def test_is_the_conformal_quantile() -> None:
    interval = RunningInterval()
    interval.observe(np.zeros(99), np.random.default_rng(0).permutation(np.arange(1, 100)) / 100)
    assert interval.half_width == pytest.approx(0.90)  # the 90th of 99


@pytest.mark.parametrize("noise", ["normal", "exponential"])
def test_covers_nine_in_ten_of_a_stream(noise: str) -> None:
    rng = np.random.default_rng(3)
    errors = 0.03 * getattr(rng, f"standard_{noise}")(4000)
    interval = RunningInterval()
    held = 0
    for error in errors:
        low, high = interval.around(0.5)
        held += low <= 0.5 + error <= high
        interval.observe(0.5, 0.5 + error)
    assert 0.88 < held / len(errors) < 0.93


def test_forgets_old_errors() -> None:
    interval = RunningInterval(capacity=50)
    interval.observe(np.zeros(400), np.full(400, 0.9))
    interval.observe(np.zeros(50), np.full(50, 0.02))
    assert len(interval.state()["errors"]) == 50
    assert interval.half_width == pytest.approx(0.02)


@given(
    predicted=st.lists(st.floats(-2, 3), min_size=1, max_size=20),
    errors=st.lists(st.floats(-1, 1), max_size=40),
)
def test_bounds_are_ordered_and_in_range(predicted: list[float], errors: list[float]) -> None:
    interval = RunningInterval()
    interval.observe(np.zeros(len(errors)), np.array(errors))
    low, high = interval.around(predicted)
    assert ((low >= 0) & (low <= high) & (high <= 1)).all()


def test_same_after_a_roundtrip() -> None:
    interval = RunningInterval(coverage=0.8, capacity=30, default_half_width=0.4)
    interval.observe(np.zeros(40), np.linspace(0, 0.4, 40))
    restored = RunningInterval.from_state(interval.state())
    for each in (interval, restored):
        each.observe(0.2, 0.9)
    np.testing.assert_array_equal(interval.state()["errors"], restored.state()["errors"])
    assert restored.around(0.5) == interval.around(0.5)


def test_wrong_input() -> None:
    interval = RunningInterval()
    with pytest.raises(InvalidInput, match="shape"):
        interval.observe([0.1, 0.2], [0.1])
    with pytest.raises(InvalidInput, match="finite"):
        interval.observe(0.1, np.nan)
    assert len(interval.state()["errors"]) == 0
    with pytest.raises(InvalidInput, match="coverage"):
        RunningInterval(coverage=1.0)
    with pytest.raises(InvalidInput, match="capacity"):
        RunningInterval(capacity=0)
    with pytest.raises(InvalidInput, match="errors"):
        RunningInterval.from_state({})
