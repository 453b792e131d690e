"""The default formula orders regimes as real fine-tunes did."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.online.choice.ranking import Ranker
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.prior import CONSTANTS, DefaultPrior
from nasoa.online.predictor.regime_encoding import SCHEDULES
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.regimes.tabulate import tabulate
from nasoa.online.regimes.task_times import TaskTimes, TimeModel
from nasoa.records import (
    BN_FIXED,
    BN_TRAINED,
    FITTED,
    HEAD_ONLY,
    MetaFeatures,
    Probe,
    Regime,
    ZooEntry,
)
from nasoa.zoo.task_size import TaskSize

PRIOR = DefaultPrior()
SPACE = RegimeSpace.small()

FIRST_HEAD_IMAGES = 1000  # at least, if images are not cached

# Classes, training images, domain distance, and the accuracies that ET-NAS-A with a source accuracy
# of 0.32 had after 40 s: fully fine-tuned, and head alone.
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
    return replace(
        regime,
        frozen_stages=HEAD_ONLY,
        cached_features=True,
        lr=1.0,
        lr_schedule=FITTED,
        bn=BN_FIXED,
        fitted_head=True,
    )


def chosen(
    meta: MetaFeatures,
    entry: ZooEntry,
    time_model: TimeModel,
    budget_s: float,
    space: RegimeSpace = SPACE,
) -> Regime:
    times = TaskTimes(
        time_model,
        {entry.name: entry},
        TaskSize(
            num_train=meta.num_images,
            num_val=meta.num_images // 7,
            num_test=meta.num_images // 3,
            num_classes=meta.num_classes,
        ),
        image_resolution=64,
    )
    candidates = grid_candidates(space, times, Budget(seconds=budget_s))
    ranking = Ranker(ExperiencePredictor(), meta, "", times.zoo).rank(candidates, 1)
    return ranking.candidates[0].regime


@pytest.mark.parametrize("name", MEASURED)
def test_trains_at_least_all_but_the_stem_in_40_s(
    name: str, small_model: ZooEntry, time_model: TimeModel
) -> None:
    num_classes, num_images, distance, full, head = MEASURED[name]
    assert full > head
    regime = chosen(described(num_classes, num_images, distance), small_model, time_model, 40.0)
    assert regime.frozen_stages in (-1, 0)
    assert 0.025 <= regime.lr * 64 / regime.batch_size <= 0.2
    assert regime.lr_schedule in {"cosine", "one_cycle"}


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("epochs", [0.2, 0.4])
def test_trains_no_whole_network_where_no_epoch_fits(
    name: str, epochs: float, small_model: ZooEntry, time_model: TimeModel
) -> None:
    """Smaller images and cached features may leave time for more.

    If the first head is fitted to all images, half an epoch can only improve on it.
    """
    num_classes, num_images, distance, _full, _head = MEASURED[name]
    meta = described(num_classes, num_images, distance)
    # Evaluation on validation and test images, the first head, and epochs of the whole network.
    fixed_s = 1.0 + (num_images * (1 / 7 + 1 / 3) + min(num_images, 1000)) / 3900
    budget_s = fixed_s + 0.02 + epochs * num_images / 1300
    regime = chosen(meta, small_model, time_model, budget_s)
    assert regime.frozen_stages >= 1 or regime.iterations * regime.batch_size > num_images
    space = replace(SPACE, frozen_stages=(-1, HEAD_ONLY), resolutions=(64,))
    plain = chosen(meta, small_model, time_model, budget_s, space)
    trained = plain.iterations * plain.batch_size
    sees_all = min(num_images, FIRST_HEAD_IMAGES) + trained >= num_images
    assert plain.frozen_stages == HEAD_ONLY or (sees_all and trained > 0.3 * num_images)


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


def probed(meta: MetaFeatures, entry: ZooEntry, regime: Regime, found: Probe | None) -> float:
    """Return the log-odds that are expected given a probe."""
    probes = [] if found is None else [found]
    return float(PRIOR.log_odds(tabulate(meta, [entry], [regime], [probes]))[0])


def probe(accuracy: float, reference: float, resolution: int = 64) -> Probe:
    return Probe(
        model="small",
        resolution=resolution,
        num_images=300,
        accuracy=accuracy,
        reference_accuracy=reference,
    )


def test_a_probe_counts_for_what_it_is_above_the_landmark(
    small_model: ZooEntry, regime: Regime
) -> None:
    meta = replace(described(10, 1300), landmark_accuracy=0.5)
    head = head_alone(regime)
    found = [probed(meta, small_model, head, probe(a, 0.5)) for a in (0.4, 0.5, 0.6)]
    # Log-odds near 0 are not affected by the bound.
    expected = PRIOR.probe_weight * math.log(0.6 / 0.4)
    assert np.diff(found) == pytest.approx([expected, expected], rel=0.02)
    # Only the difference counts, however hard the images of the sample were.
    assert probed(meta, small_model, head, probe(0.8, 0.8)) == pytest.approx(found[1])


def test_where_a_model_was_probed_its_source_says_nothing_more(
    zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    meta = replace(described(10, 1300), landmark_accuracy=0.5)
    head = head_alone(regime)
    better = replace(zoo["small"], source_accuracy=0.6)
    assert probed(meta, better, head, None) > probed(meta, zoo["small"], head, None)
    found = probe(0.6, 0.5)
    assert probed(meta, better, head, found) == probed(meta, zoo["small"], head, found)


@pytest.mark.parametrize("distance", [2.0, 12.0, 30.0])
def test_another_model_of_a_source_tells_what_the_source_brings(
    small_model: ZooEntry, regime: Regime, distance: float
) -> None:
    """It leaves a fraction of the two models' difference in source accuracy."""
    meta = replace(described(10, 1300, distance), landmark_accuracy=0.5)
    head = head_alone(regime)
    own = probe(0.6, 0.5)
    other = replace(
        own, model="other", source="objects", source_classes=200, source_accuracy=0.32,
        model_resolution=64,
    )  # fmt: skip
    alike = probed(meta, small_model, head, other)
    assert alike == pytest.approx(probed(meta, small_model, head, own))
    better = probed(meta, replace(small_model, source_accuracy=0.5), head, other)
    unprobed = [
        probed(meta, replace(small_model, source_accuracy=a), head, None) for a in (0.32, 0.5)
    ]
    # Log-odds near 0 are hardly affected by the bound.
    assert better - alike == pytest.approx(unprobed[1] - unprobed[0], rel=0.1)
    assert better > alike
    # The other model's gain counts like the model's own.
    worse = replace(other, accuracy=0.5)
    moved = alike - probed(meta, small_model, head, worse)
    assert moved == pytest.approx(PRIOR.probe_weight * math.log(0.6 / 0.4), rel=0.02)


def test_what_was_probed_is_best_known_at_its_own_resolution(
    small_model: ZooEntry, regime: Regime
) -> None:
    """A probe includes the effect of its resolution; another resolution adds the difference."""
    meta = replace(described(10, 1300), landmark_accuracy=0.5)

    def head(resolution: int, found: Probe | None) -> float:
        return probed(meta, small_model, replace(head_alone(regime), resolution=resolution), found)

    at = {r: head(r, probe(0.6, 0.5, resolution=r)) for r in (32, 64, 128)}
    assert at[32] == pytest.approx(at[64]) == pytest.approx(at[128])
    for resolution in (32, 64, 128):
        moved = head(resolution, probe(0.6, 0.5, resolution=64)) - at[64]
        unprobed = head(resolution, None) - head(64, None)
        assert moved == pytest.approx(unprobed, abs=0.03)
    sizes = [32, 64, 72, 96, 128, 160]
    best = 64 * 2**PRIOR.size_peak
    by_size = sorted(sizes, key=lambda r: -head(r, None))
    assert by_size == sorted(sizes, key=lambda r: abs(math.log2(r / best)))


def test_a_head_alone_gains_from_every_image_that_it_is_fitted_to(
    small_model: ZooEntry, regime: Regime
) -> None:
    meta = described(10, 6400)
    reached = [
        accuracy(meta, small_model, replace(head_alone(regime), iterations=batches))
        for batches in (25, 50, 100, 200)
    ]
    assert reached[0] < reached[1] < reached[2] == reached[3]
    # With cached features all images count, however few the steps.
    cached = replace(regime, frozen_stages=3, cached_features=True, iterations=10)
    same = replace(PRIOR, reached_slope=0.0).predict(meta, [small_model], [cached])[0]
    assert accuracy(meta, small_model, cached) == same


def test_few_steps_on_images_know_no_more_than_they_have_seen(
    small_model: ZooEntry, regime: Regime
) -> None:
    """They start from a head that is fitted to a few images, as time allows."""
    meta = described(10, 50_000)
    half = replace(head_alone(regime), iterations=400)
    few = replace(regime, frozen_stages=2, lr=0.05, iterations=13, bn=BN_TRAINED, fitted_head=True)
    assert accuracy(meta, small_model, few) < accuracy(meta, small_model, half)
    # An epoch has seen all images, and on small data sets the first head has.
    same = replace(PRIOR, reached_slope=0.0)
    for seen, iterations in ((meta, 800), (described(10, 1000), 10)):
        trained = replace(few, iterations=iterations)
        expected = same.predict(seen, [small_model], [trained])[0]
        assert accuracy(seen, small_model, trained) == expected


def test_a_fitted_head_relieves_the_start_only(
    small_model: ZooEntry, regime: Regime, meta: MetaFeatures
) -> None:
    def advantage(epochs: float) -> float:
        started = of_epochs(regime, meta, epochs)
        return accuracy(meta, small_model, replace(started, fitted_head=True)) - accuracy(
            meta, small_model, started
        )

    assert advantage(2) > 0 > advantage(60)


def test_statistics_that_stay_want_a_smaller_rate(
    small_model: ZooEntry, regime: Regime, meta: MetaFeatures
) -> None:
    lrs = np.geomspace(0.001, 1.0, 61)

    def best(bn: str) -> float:
        tried = [replace(regime, lr=float(lr), bn=bn) for lr in lrs]
        return float(lrs[int(np.argmax([accuracy(meta, small_model, r) for r in tried]))])

    assert best(BN_FIXED) == pytest.approx(best(BN_TRAINED) * 10**PRIOR.fixed_bn_lr, rel=0.1)


def test_the_constants_of_the_package_are_whole() -> None:
    """All constants are present and finite, and no cost or weight is below 0."""
    constants = json.loads(CONSTANTS.read_bytes())
    assert set(constants) == {field.name for field in fields(DefaultPrior)}
    assert set(constants["schedule_cost"]) == set(SCHEDULES)
    assert len(constants["frozen_share"]) == HEAD_ONLY + 2
    assert (constants["frozen_share"][0], constants["frozen_share"][-1]) == (0.0, 1.0)
    for name, value in constants.items():
        if isinstance(value, float):
            assert math.isfinite(value)
            if name.endswith(("_cost", "_weight", "slope")) and "far" not in name:
                assert value >= 0.0
