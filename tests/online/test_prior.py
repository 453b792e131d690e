"""The table of defaults orders regimes as fine-tunes did."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.online.experience_predictor import ExperiencePredictor
from nasoa.online.generator import Budget, grid_candidates
from nasoa.online.prior import DefaultPrior
from nasoa.online.ranking import Ranker
from nasoa.online.regime_space import RegimeSpace
from nasoa.online.task_times import TaskTimes, TimeModel
from nasoa.records import MetaFeatures, Regime, ZooEntry

PRIOR = DefaultPrior()

# Classes, training images, domain distance, and what ET-NAS-A with a source accuracy of 0.32
# reached in 40 s: fully fine-tuned, head alone.
MEASURED = {
    "pacs_photo": (7, 1065, 9.4, 0.837, 0.765),
    "imagenette10": (10, 1275, 7.7, 0.723, 0.660),
    "gtsrb43": (43, 4386, 13.0, 0.802, 0.398),
    "smile2": (2, 1360, 16.3, 0.910, 0.763),
}


def described(num_classes: int, num_images: int, distance: float = 8.0) -> MetaFeatures:
    return MetaFeatures(
        num_classes=num_classes,
        num_images=num_images,
        mean_images_per_class=num_images / num_classes,
        std_images_per_class=0.0,
        domain_similarity=math.exp(-0.01 * distance),
    )


def accuracy(meta: MetaFeatures, entry: ZooEntry, regime: Regime) -> float:
    return float(PRIOR.predict(meta, [entry], [regime])[0])


def of_epochs(regime: Regime, meta: MetaFeatures, epochs: float) -> Regime:
    return replace(regime, iterations=max(1, round(epochs * meta.num_images / regime.batch_size)))


def head_alone(regime: Regime) -> Regime:
    return replace(regime, frozen_stages=4, cached_features=True)


def chosen(meta: MetaFeatures, entry: ZooEntry, time_model: TimeModel, budget_s: float) -> Regime:
    times = TaskTimes(
        time_model,
        {entry.name: entry},
        num_train=meta.num_images,
        num_val=meta.num_images // 7,
        num_test=meta.num_images // 3,
    )
    candidates = grid_candidates(RegimeSpace.small(), times, Budget(seconds=budget_s))
    ranking = Ranker(ExperiencePredictor(), meta, "", times.zoo).rank(candidates, 1)
    return ranking.candidates[0].regime


@pytest.mark.parametrize("name", MEASURED)
def test_chooses_a_full_finetune_in_40_s(
    name: str, small_model: ZooEntry, time_model: TimeModel
) -> None:
    num_classes, num_images, distance, full, head = MEASURED[name]
    assert full > head
    regime = chosen(described(num_classes, num_images, distance), small_model, time_model, 40.0)
    assert regime.frozen_stages == -1
    assert 0.025 <= regime.lr * 64 / regime.batch_size <= 0.2
    assert regime.lr_schedule in {"cosine", "one_cycle"}


@pytest.mark.parametrize("name", MEASURED)
def test_chooses_the_head_where_three_epochs_do_not_fit(
    name: str, small_model: ZooEntry, time_model: TimeModel
) -> None:
    num_classes, num_images, distance, _full, _head = MEASURED[name]
    budget_s = 1.6 + 2.0 * num_images / 1300
    regime = chosen(described(num_classes, num_images, distance), small_model, time_model, budget_s)
    assert regime.frozen_stages == 4


@pytest.mark.parametrize("name", MEASURED)
def test_is_roughly_right(name: str, small_model: ZooEntry, regime: Regime) -> None:
    num_classes, num_images, distance, full, head = MEASURED[name]
    meta = described(num_classes, num_images, distance)
    long = of_epochs(regime, meta, 52000 / num_images)
    assert accuracy(meta, small_model, long) == pytest.approx(full, abs=0.12)
    assert accuracy(meta, small_model, head_alone(long)) == pytest.approx(head, abs=0.12)


@pytest.mark.parametrize(("epochs", "full_is_better"), [(1, False), (2.5, False), (5, True)])
def test_when_training_everything_pays(
    small_model: ZooEntry, regime: Regime, epochs: float, full_is_better: bool
) -> None:
    meta = described(10, 4000)
    full = of_epochs(regime, meta, epochs)
    better = accuracy(meta, small_model, full) > accuracy(meta, small_model, head_alone(full))
    assert better is full_is_better


def test_more_epochs_are_better_and_saturate(
    small_model: ZooEntry, regime: Regime, meta: MetaFeatures
) -> None:
    reached = [
        accuracy(meta, small_model, of_epochs(regime, meta, epochs))
        for epochs in (2, 4, 8, 16, 32, 64, 128)
    ]
    assert (np.diff(reached) > 0).all()
    assert reached[-1] - reached[-2] < 0.01 < reached[2] - reached[1]


@pytest.mark.parametrize("batch_size", [32, 64, 128])
def test_best_rate_grows_with_the_batch(
    small_model: ZooEntry, regime: Regime, meta: MetaFeatures, batch_size: int
) -> None:
    lrs = np.geomspace(0.001, 1.0, 61)
    reached = [
        accuracy(meta, small_model, replace(regime, lr=float(lr), batch_size=batch_size))
        for lr in lrs
    ]
    assert lrs[int(np.argmax(reached))] == pytest.approx(0.08 * batch_size / 64, rel=0.1)


def test_fewer_classes_and_a_better_source_are_easier(
    zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    by_classes = [accuracy(described(k, 150 * k), zoo["small"], regime) for k in (2, 10, 100)]
    assert by_classes == sorted(by_classes, reverse=True)
    meta = described(10, 1500)
    assert accuracy(meta, zoo["large"], regime) > accuracy(meta, zoo["small"], regime)


def test_few_images_and_a_near_domain_favour_freezing(
    small_model: ZooEntry, regime: Regime
) -> None:
    def advantage(meta: MetaFeatures) -> float:
        head = accuracy(meta, small_model, head_alone(regime))
        return accuracy(meta, small_model, regime) - head

    assert advantage(described(10, 30)) < 0 < advantage(described(10, 3000))
    near, far = described(10, 3000, distance=2.0), described(10, 3000, distance=30.0)
    assert advantage(near) < advantage(far)


@given(
    num_classes=st.integers(1, 10_000),
    images_per_class=st.floats(0.001, 1e6),
    similarity=st.floats(1e-6, 1.0),
    lr=st.floats(1e-8, 1e3),
    iterations=st.integers(1, 10**7),
    frozen=st.integers(-1, 4),
    source_accuracy=st.floats(0.0, 1.0),
)
def test_is_inside_0_and_1(
    num_classes: int,
    images_per_class: float,
    similarity: float,
    lr: float,
    iterations: int,
    frozen: int,
    source_accuracy: float,
) -> None:
    meta = MetaFeatures(
        num_classes=num_classes,
        num_images=max(1, round(num_classes * images_per_class)),
        mean_images_per_class=images_per_class,
        std_images_per_class=0.0,
        domain_similarity=similarity,
    )
    entry = ZooEntry(
        name="m", family="f", encoding="", num_params=1000, part_macs=(10**6,),
        part_activations=(10**4,), resolution=224, mean=(0, 0, 0), std=(1, 1, 1),
        num_classes=1000, source="s", source_accuracy=source_accuracy,
    )  # fmt: skip
    regime = Regime(
        model="m", lr=lr, frozen_stages=frozen, iterations=iterations, batch_size=64,
        resolution=224, lr_schedule="unheard of",
    )  # fmt: skip
    assert 0.0 < accuracy(meta, entry, regime) < 1.0
