"""The regret that a store knows of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nasoa.records import Experience
from nasoa.report.known_regret import known_regrets


@pytest.fixture
def make(make_experience: Callable[..., Experience]) -> Callable[..., Experience]:
    def made(
        task_id: str, accuracy: float, elapsed_s: float, *, limit_s: float = 20.0, data: str = "a"
    ) -> Experience:
        e = make_experience()
        task = replace(e.task, task_id=task_id, time_limit_s=limit_s, fingerprint=data)
        return replace(e, task=task, accuracy=accuracy, elapsed_s=elapsed_s)

    return made


def test_the_best_within_the_limit_counts(make: Callable[..., Experience]) -> None:
    experiences = [
        make("1", 0.6, 18.0),
        make("2", 0.9, 35.0, limit_s=40.0),
        make("3", 0.7, 19.0),
        make("alone", 0.1, 1.0, data="b"),
        make("4", 0.95, 20.5),  # late: no regime that fits 20 s, though its own limit was that
    ]
    assert known_regrets(experiences) == pytest.approx([0.1, 0.05, 0.0, 0.0])


def test_other_hardware_and_clocks_are_not_compared(make: Callable[..., Experience]) -> None:
    one, other = make("1", 0.6, 18.0), make("2", 0.9, 18.0)
    for change in ({"hardware": "gpu"}, {"clock": "steps"}):
        elsewhere = replace(other, task=replace(other.task, **change))
        assert known_regrets([one, elsewhere]) == []


def test_it_agrees_with_every_pair(make: Callable[..., Experience]) -> None:
    rng = np.random.default_rng(0)
    experiences = [
        make(
            f"{i}",
            round(float(rng.random()), 3),
            float(rng.integers(1, 30)),
            limit_s=float(rng.choice([10, 20, 30])),
            data=str(rng.integers(3)),
        )
        for i in range(60)
    ]
    expected = [
        max(
            other.accuracy
            for other in experiences
            if other.task.fingerprint == e.task.fingerprint
            and other.elapsed_s <= max(e.task.time_limit_s, e.elapsed_s)
        )
        - e.accuracy
        for e in experiences
    ]
    assert known_regrets(experiences) == expected
