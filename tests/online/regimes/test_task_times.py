"""Predicted times on one task."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.task_times import TaskTimes, TimeModel
from nasoa.records import HEAD_ONLY, Regime, ZooEntry
from nasoa.zoo.task_size import TaskSize

SIZE = TaskSize(num_train=640, num_val=50, num_test=60, num_classes=7)


class CountingTimes:
    """Predicts 2 s of fixed time and 0.5 s per step; counts its calls."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        self.asked["step"] += 1
        return 0.5

    def fixed_s(
        self, entry: ZooEntry, resolution: int, size: TaskSize, frozen_stages: int, cached: bool
    ) -> float:
        self.asked["fixed"] += 1
        assert size == SIZE
        return 2.0

    def fit_s(self, entry: ZooEntry, num_images: int, num_classes: int) -> float:
        return 0.001 * num_images

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        return 0.01

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        return 0.3 if cached else 0.1


def task_times(model: TimeModel, zoo: dict[str, ZooEntry]) -> TaskTimes:
    return TaskTimes(model, zoo, SIZE, image_resolution=40)


def test_seconds_of_a_regime(zoo: dict[str, ZooEntry], regime: Regime) -> None:
    assert task_times(CountingTimes(), zoo).predicted_s(replace(regime, iterations=7)) == 6.1


def test_the_fit_of_a_head_takes_as_long_as_there_are_images(
    zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    head = replace(regime, frozen_stages=HEAD_ONLY, batch_size=64)
    times = task_times(CountingTimes(), zoo)
    few, more = (times.predicted_s(replace(head, iterations=count)) for count in (0, 7))
    assert few == 2.6
    assert more == pytest.approx(2.6 + 7 * (0.5 + 64 * 0.001))


def test_a_test_on_some_images_is_enough_if_time_is_short(
    zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    """60 images of 0.01 s, but at most a fifth of the limit."""
    for limit_s, test_s in ((60.0, 0.6), (3.0, 0.6), (2.0, 0.4), (0.5, 0.1)):
        times = TaskTimes(CountingTimes(), zoo, SIZE, image_resolution=40, limit_s=limit_s)
        assert times.predicted_s(replace(regime, iterations=0)) == pytest.approx(2.0 + test_s)


def test_mirror_images_take_time_where_there_is_time_for_them(
    zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    """640, 50 and 60 images of 0.01 s; a fifth of the limit has to hold a test of 1.56 s."""
    cached = replace(regime, iterations=0, cached_features=True, frozen_stages=3)
    whole = replace(cached, cached_features=False, frozen_stages=-1)
    head = replace(cached, frozen_stages=HEAD_ONLY)
    for limit_s, given, added in (
        (60.0, cached, 7.5), (60.0, whole, 1.1), (60.0, head, 1.1),
        (13.9, cached, 7.5), (13.7, cached, 0.0), (7.0, cached, 0.0), (0.0, cached, 0.0),
    ):  # fmt: skip
        times, mirrored = (
            TaskTimes(
                CountingTimes(), zoo, SIZE, image_resolution=40, limit_s=limit_s, is_mirrored=mirror
            )
            for mirror in (False, True)
        )
        more_s = mirrored.predicted_s(given) - times.predicted_s(given)
        assert more_s == pytest.approx(added), (limit_s, given)


def test_every_time_is_asked_for_once(zoo: dict[str, ZooEntry]) -> None:
    model = CountingTimes()
    times = task_times(model, zoo)
    grid = RegimeSpace.small().grid(zoo, times.image_resolution)
    for _ in range(3):
        costs = times.costs(grid)
    # Batch sizes; none or the stem frozen; stages 1 to 3 frozen, cached or not; head only.
    distinct = len(zoo) * len(set(grid.resolution)) * (2 * (2 + 3 * 2) + 1)
    assert model.asked == {"step": distinct, "fixed": distinct}
    assert set(costs.fixed_s) == {2.6}
    fits = 0.001 * grid.batch_size * grid.is_head
    assert costs.step_s == pytest.approx(0.5 + fits)
    assert len(costs.step_s) == len(grid)
    assert np.array_equal(costs.error, np.where(grid.cached_features, 0.3, 0.1))


def test_exact_times_have_no_error(zoo: dict[str, ZooEntry]) -> None:
    times = TaskTimes(CountingTimes(), zoo, SIZE, image_resolution=40, is_exact=True)
    assert not times.costs(RegimeSpace.small().grid(zoo, 40)).error.any()


def test_no_training_images(zoo: dict[str, ZooEntry]) -> None:
    with pytest.raises(InvalidInput, match="at least 1 training image"):
        TaskTimes(CountingTimes(), zoo, replace(SIZE, num_train=0), image_resolution=40)
