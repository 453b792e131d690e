"""Drift alarm: silent at its stated rate while nothing changes, quick when errors rise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.predictor.drift import BINS, DriftAlarm

Draw = Callable[[np.random.Generator, int], np.ndarray]

DISTRIBUTIONS: dict[str, Draw] = {
    "half normal": lambda rng, n: np.abs(rng.normal(0, 0.05, n)),
    "exponential": lambda rng, n: rng.exponential(0.05, n),
    "uniform": lambda rng, n: rng.uniform(0, 0.3, n),
    "rare and large": lambda rng, n: np.where(rng.random(n) < 0.02, 0.9, 0.01),
    "heavy": lambda rng, n: 0.01 * (1 + rng.pareto(1.5, n)),
    "constant": lambda rng, n: np.full(n, 0.1),
}


def rings(errors: np.ndarray, alarm: DriftAlarm | None = None) -> list[int]:
    alarm = alarm or DriftAlarm()
    return [i for i, error in enumerate(errors.clip(0, 1).tolist()) if alarm.observe(error)]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_false_alarms_are_as_rare_as_stated(name: str) -> None:
    """At 200 errors per false alarm, 40 streams of 500 have at most 100 expected alarms."""
    rng = np.random.default_rng(7)
    count = sum(
        len(rings(DISTRIBUTIONS[name](rng, 500), DriftAlarm(errors_per_false_alarm=200)))
        for _ in range(40)
    )
    assert count <= 100


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_default_is_silent_on_stationary_streams(name: str) -> None:
    rng = np.random.default_rng(3)
    assert sum(len(rings(DISTRIBUTIONS[name](rng, 1000))) for _ in range(5)) <= 1


@pytest.mark.parametrize(("factor", "within"), [(2, 150), (3, 60), (6, 30)])
def test_it_rings_soon_after_errors_jump(factor: float, within: int) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        before = np.abs(rng.normal(0, 0.05, 300))
        after = np.abs(rng.normal(0, 0.05 * factor, within))
        rang = rings(np.concatenate([before, after]))
        assert rang
        assert rang[0] >= 300


def test_it_is_silent_while_a_predictor_learns() -> None:
    rng = np.random.default_rng(1)
    falling = 0.4 / np.sqrt(1 + np.arange(2000))
    assert rings(np.abs(rng.normal(0, 1, 2000)) * falling) == []


def test_after_an_alarm_the_new_level_is_the_measure() -> None:
    rng = np.random.default_rng(2)
    level = np.abs(rng.normal(0, 0.2, 1500))
    rang = rings(np.concatenate([np.abs(rng.normal(0, 0.03, 300)), level]))
    assert len(rang) == 1
    assert 300 <= rang[0] < 330


errors = st.lists(st.floats(0, 1), max_size=60)


@settings(max_examples=50)
@given(before=errors, after=errors, rate=st.floats(2, 50))
def test_a_restored_alarm_goes_on(before: list[float], after: list[float], rate: float) -> None:
    alarm = DriftAlarm(rate)
    for error in before:
        alarm.observe(error)
    again = DriftAlarm.from_state(alarm.state(), rate)
    assert [alarm.observe(e) for e in after] == [again.observe(e) for e in after]
    assert alarm.state() == again.state()
    assert len(alarm.state()) == BINS + 1


@settings(max_examples=50)
@given(before=st.lists(st.floats(0, 1), min_size=1, max_size=100))
def test_an_error_that_is_not_larger_than_any_before_never_rings(before: list[float]) -> None:
    alarm = DriftAlarm(5)
    for error in before:
        alarm.observe(error)
    state = DriftAlarm.from_state(alarm.state(), 5)
    assert not any(state.observe(0.0) for _ in range(20))


@pytest.mark.parametrize("error", [-0.1, 1.1, float("nan"), float("inf")])
def test_errors_are_absolute_and_of_accuracies(error: float) -> None:
    with pytest.raises(InvalidInput, match=r"in \[0, 1\]"):
        DriftAlarm().observe(error)


def test_odd_settings_and_states_are_refused() -> None:
    with pytest.raises(InvalidInput, match="above 1, got 1"):
        DriftAlarm(1)
    with pytest.raises(InvalidInput, match=f"{BINS + 1} numbers, got 3"):
        DriftAlarm.from_state((0.0, 1.0, 2.0))
