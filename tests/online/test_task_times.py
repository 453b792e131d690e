"""Times of one task."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from nasoa.errors import InvalidInput
from nasoa.online.regime_space import RegimeSpace
from nasoa.online.task_times import TaskTimes, TimeModel
from nasoa.records import Regime, ZooEntry


class CountingTimes:
    """2 s whatever is done and 0.5 s a step; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        self.asked["step"] += 1
        return 0.5

    def fixed_s(
        self,
        entry: ZooEntry,
        resolution: int,
        *,
        num_train: int,
        num_val: int,
        num_test: int,
        cached: bool,
    ) -> float:
        self.asked["fixed"] += 1
        assert (num_train, num_val, num_test) == (640, 50, 60)
        return 2.0


def task_times(model: TimeModel, zoo: dict[str, ZooEntry]) -> TaskTimes:
    return TaskTimes(model, zoo, num_train=640, num_val=50, num_test=60)


def test_seconds_and_the_most_iterations(zoo: dict[str, ZooEntry], regime: Regime) -> None:
    times = task_times(CountingTimes(), zoo)
    configuration = next(iter(RegimeSpace.small().grid(zoo)))
    assert times.predicted_s(replace(regime, iterations=7)) == 5.5
    assert times.largest_iterations(configuration, 5.5) == 7
    assert times.largest_iterations(configuration, 5.4) == 6
    assert times.largest_iterations(configuration, 1.0) < 0
    assert times.epochs_to_iterations(configuration, 2.5) == 50  # 640 images, batch 32
    assert times.epochs_to_iterations(configuration, 0.001) == 1


def test_every_time_is_asked_for_once(zoo: dict[str, ZooEntry]) -> None:
    model = CountingTimes()
    times = task_times(model, zoo)
    for _ in range(3):
        for configuration in RegimeSpace.small().grid(zoo):
            times.cost_s(configuration)
    distinct = len(zoo) * 6 * 3  # models, frozen stages, batch sizes
    assert model.asked == {"step": distinct, "fixed": distinct}


def test_no_training_images(zoo: dict[str, ZooEntry]) -> None:
    with pytest.raises(InvalidInput, match="at least 1 training image"):
        TaskTimes(CountingTimes(), zoo, num_train=0, num_val=1, num_test=1)
