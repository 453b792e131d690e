"""One fine-tune: its first checkpoint, heads alone, statistics, limits, and resuming."""

from __future__ import annotations

import copy
import gc
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.config import FineTuneConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.online.task.probe import KnownFeatures, pooled_features
from nasoa.online.tuning.finetune import FineTuned, finetune
from nasoa.online.tuning.job import Job, Known, Listeners
from nasoa.records import BN_ALL, BN_FIXED, BN_TRAINED, FITTED, HEAD_ONLY, Regime, ZooEntry
from nasoa.training import cached_features
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.checkpoint import RunState, Weights, from_bytes, to_bytes
from nasoa.training.clock import Clock, StepClock, WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.linear_head import STRENGTHS
from nasoa.training.precision import Precision
from nasoa.training.run import Progress, WorkCost
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe, load_network
from tests.full_disk import largest_file

PLAIN = Precision(torch.device("cpu"), None, channels_last=False)
ENCODING = "020- 8 1-2-1-2"
BATCH = 16
WORK = WorkCost(step_s=0.1, eval_image_s=0.001, frozen_image_s=0.001, fit_image_s=1e-4)
FULL = Regime(
    model="tiny",
    lr=0.05,
    frozen_stages=-1,
    iterations=30,
    batch_size=BATCH,
    resolution=32,
    lr_schedule="cosine",
    fills_limit=False,
)
HEAD = replace(
    FULL,
    lr=1.0,
    frozen_stages=HEAD_ONLY,
    lr_schedule=FITTED,
    cached_features=True,
    fills_limit=True,
)
CACHED = replace(FULL, frozen_stages=2, cached_features=True)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    """Ten digits at 32 px: about 460 training, 45 validation and 90 test images."""
    return load_dataset("sklearn:digits:per_class=60", seed=0, resolution=32)


def fresh(num_classes: int = 10) -> StagedNetwork:
    """Return a network as it comes from the zoo, with a head of zeros."""
    torch.manual_seed(0)
    network = build_network(parse(ENCODING), num_classes)
    nn.init.zeros_(network.head.fc.weight)
    nn.init.zeros_(network.head.fc.bias)
    return network


ENTRY = describe(
    fresh(),
    Pretraining(
        name="tiny",
        resolution=32,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        source="none",
        accuracy=0.5,
    ),
    family="tiny",
    encoding=ENCODING,
)


def tune(
    network: StagedNetwork,
    data: ImageDataset,
    regime: Regime,
    *,
    clock: Clock | None = None,
    limit_s: float = 1000.0,
    entry: ZooEntry = ENTRY,
    mirror_safe: bool = False,
    work: WorkCost = WORK,
    precision: Precision = PLAIN,
    **options: Any,
) -> FineTuned:
    job = Job(
        network=network,
        data=data,
        regime=regime,
        entry=entry,
        mirror_safe=mirror_safe,
        precision=precision,
        seed=0,
    )
    told = {name: options[name] for name in ("save", "progress", "evaluate_at") if name in options}
    there = {name: options[name] for name in options if name not in told}
    return finetune(
        job,
        Deadline(clock or StepClock(), limit_s),
        work,
        known=Known(**there),
        listeners=Listeners(**told),
    )


def snapshot(network: nn.Module) -> Weights:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(before: Weights, after: Weights) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def pooled(network: StagedNetwork, data: ImageDataset, split: str) -> Tensor:
    """Return `(n, d)` features of a split, computed by the network's own modules."""
    part = getattr(data, split)
    images = (part.images(torch.arange(len(part))).float() / 255 - 0.5) / 0.25
    body = nn.Sequential(*copy.deepcopy(network).eval().parts[:-1])
    with torch.no_grad():
        return body(images).mean(dim=(2, 3))  # type: ignore[no-any-return]


def accuracy(network: StagedNetwork, data: ImageDataset, split: str) -> float:
    logits = network.head.fc(pooled(network, data, split))
    return float((logits.argmax(dim=1) == getattr(data, split).labels).float().mean())


def test_a_head_alone_is_fitted_to_all_images_and_nothing_else_changes(
    digits: ImageDataset,
) -> None:
    network = fresh()
    before = snapshot(network)
    tuned = tune(network, digits, HEAD)
    assert changed(before, snapshot(network)) == {"head.fc.weight", "head.fc.bias"}
    assert tuned.training.ended == "iterations"
    # Iterations are batches of images that the head was fitted to.
    assert tuned.training.iterations == math.ceil(len(digits.train) / BATCH)
    (point,) = tuned.training.curve
    assert point.val_accuracy == tuned.training.val_accuracy > 0.4
    assert np.sum(tuned.confusion) == len(digits.test)
    assert tuned.accuracy == pytest.approx(accuracy(network, digits, "test"), abs=0.5 / 90)
    assert tuned.heads is not None
    assert tuned.heads.chosen.strength in STRENGTHS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("regime", [HEAD, CACHED, FULL], ids=["head", "cached", "full"])
def test_on_a_gpu_it_is_as_good(digits: ImageDataset, regime: Regime) -> None:
    here = tune(fresh(), digits, regime)
    gpu = Precision(torch.device("cuda"), None, channels_last=True)
    there = tune(fresh(), digits, regime, precision=gpu)
    error = math.sqrt(here.accuracy * (1 - here.accuracy) / len(digits.test))
    assert there.accuracy > here.accuracy - 2 * error
    first, same = (tuned.training.curve[0].val_accuracy for tuned in (here, there))
    assert same == pytest.approx(first, abs=2.5 / len(digits.val))


def test_a_head_alone_is_fitted_to_validation_images_last(digits: ImageDataset) -> None:
    network = fresh()
    tuned = tune(network, digits, HEAD)
    assert tuned.heads is not None
    features = torch.cat([pooled(network, digits, split) for split in ("train", "val")])
    labels = torch.cat([digits.train.labels, digits.val.labels])
    scaler = StandardScaler().fit(features.double().numpy())
    known = LogisticRegression(C=tuned.heads.chosen.strength, max_iter=5000, tol=1e-8)
    known.fit(scaler.transform(features.double().numpy()), labels.numpy())
    asked = pooled(network, digits, "test")
    with torch.no_grad():
        found = network.head.fc(asked).softmax(dim=1).numpy()
    expected = known.predict_proba(scaler.transform(asked.double().numpy()))
    assert np.abs(found - expected).max() < 1e-2


def test_a_head_alone_is_as_good_as_logistic_regression(shared: Path) -> None:
    """On photographs of birds, with the reference network: within one standard error."""
    path = shared / "data" / "cub10.zip"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    data = load_dataset(str(path), seed=0, resolution=64)
    zoo = packaged_zoo()
    entry = zoo.entry("ET-NAS-A")

    network = load_network(entry, zoo.weights(entry.name), len(data.class_names))
    features, labels = {}, {}
    for split in ("train", "val", "test"):
        labels[split] = getattr(data, split).labels
        everything = torch.arange(len(labels[split]))
        asked = replace(data, train=getattr(data, split))
        rows, _image_s = pooled_features(network, entry, asked, everything, 64, PLAIN)
        features[split] = rows.double().numpy()
    regime = replace(HEAD, model=entry.name, resolution=64, batch_size=64)
    tuned = tune(network, data, regime, entry=entry)
    scaler = StandardScaler().fit(features["train"])
    rows = {split: scaler.transform(of_split) for split, of_split in features.items()}
    heads = [
        LogisticRegression(C=strength, max_iter=5000).fit(rows["train"], labels["train"])
        for strength in (*STRENGTHS, 1.0, 10.0)
    ]
    best = max(heads, key=lambda head: head.score(rows["val"], labels["val"]))
    expected = best.score(rows["test"], labels["test"])
    assert expected > 0.3
    error = math.sqrt(expected * (1 - expected) / len(data.test))
    assert tuned.accuracy > expected - error


@pytest.mark.parametrize("mirror_safe", [False, True])
@pytest.mark.parametrize("regime", [HEAD, CACHED, FULL], ids=["head", "cached", "full"])
def test_the_step_clock_gives_the_same_result_twice(
    digits: ImageDataset, regime: Regime, mirror_safe: bool
) -> None:
    outcomes = []
    for _ in range(2):
        network, clock = fresh(), StepClock()
        tuned = tune(
            network,
            digits,
            replace(regime, fills_limit=True),
            clock=clock,
            limit_s=5.0,
            mirror_safe=mirror_safe,
        )
        outcomes.append((tuned.training, tuned.confusion, clock.elapsed_s(), snapshot(network)))
    first, second = outcomes
    assert first[:3] == second[:3]
    assert not changed(first[3], second[3])
    assert first[2] <= 5.0


def test_in_a_short_limit_a_head_alone_is_fitted_to_fewer_images(digits: ImageDataset) -> None:
    everything = math.ceil(len(digits.train) / BATCH)
    reached = []
    for limit_s in (2.0, 2.4, 100.0):
        clock = StepClock()
        work = replace(WORK, frozen_image_s=0.004, eval_image_s=1e-5)
        tuned = tune(fresh(), digits, HEAD, clock=clock, limit_s=limit_s, work=work)
        assert clock.elapsed_s() <= limit_s
        assert np.sum(tuned.confusion) == len(digits.test)
        reached.append(tuned.training.iterations)
    assert 0 < reached[0] < reached[1] < reached[2] == everything


class Slow(nn.Module):
    """Module that takes some time for each image."""

    def __init__(self, inner: nn.Module, image_s: float) -> None:
        super().__init__()
        self.inner = inner
        self.image_s = image_s

    def forward(self, images: Tensor) -> Tensor:
        """Call the inner module."""
        # A condition on a value prevents tracing, so that the module is called as it is.
        if not torch.isnan(images.flatten()[0]):
            time.sleep(self.image_s * len(images))
        return self.inner(images)  # type: ignore[no-any-return]


def slow(image_s: float) -> StagedNetwork:
    network = fresh()
    network.stem = Slow(network.stem, image_s)
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "learned_from"),
    [
        (HEAD, "train"),
        (replace(CACHED, fills_limit=True), "val"),
        (replace(FULL, frozen_stages=1, bn=BN_TRAINED, fills_limit=True), "train"),
    ],
    ids=["head", "cached", "frozen"],
)
def test_the_limit_is_filled_and_kept_by_the_wall_clock(
    digits: ImageDataset, regime: Regime, learned_from: str
) -> None:
    """Includes testing, of 0.7 s; what is cached is a few images, computed early."""
    data, limit_s = replace(digits, train=getattr(digits, learned_from)), 5.0
    regime = replace(regime, iterations=10_000)
    network = slow(0.009 if regime.frozen_stages == HEAD_ONLY else 0.008)
    started = time.monotonic()
    tuned = tune(network, data, regime, clock=WallClock(), limit_s=limit_s)
    elapsed_s = time.monotonic() - started
    assert 0.6 * limit_s < elapsed_s < limit_s
    assert np.sum(tuned.confusion) == len(digits.test)
    if regime.frozen_stages == HEAD_ONLY:
        assert 0 < tuned.training.iterations < math.ceil(len(digits.train) / BATCH)


def test_what_is_left_for_testing_is_what_it_takes(digits: ImageDataset) -> None:
    """For training on images, whose validations predict the time of the test."""
    clock, limit_s = StepClock(), 20.0
    work = replace(WORK, eval_image_s=0.01)
    regime = replace(FULL, fills_limit=True)
    tuned = tune(fresh(), digits, regime, clock=clock, limit_s=limit_s, work=work)
    assert np.sum(tuned.confusion) == len(digits.test)
    test_s, validation_s = (0.01 * len(split) for split in (digits.test, digits.val))
    config = FineTuneConfig()
    unused_s = config.margin_s(limit_s) + (config.test_slack - 1) * test_s
    # There was no time left for two more steps and a validation.
    assert clock.elapsed_s() > limit_s - unused_s - 2 * WORK.step_s - validation_s - 1e-6
    assert clock.elapsed_s() <= limit_s


@pytest.mark.parametrize("bn", [BN_ALL, BN_TRAINED, BN_FIXED])
def test_statistics_of_batch_normalisation_adapt_where_the_regime_says(
    digits: ImageDataset, bn: str
) -> None:
    network = fresh()
    before = snapshot(network)
    states: list[Weights] = []
    tune(
        network,
        digits,
        replace(FULL, frozen_stages=1, bn=bn),
        save=lambda state: states.append(copy.deepcopy(state.network)),
    )
    assert states
    moved = changed(before, states[-1])
    frozen = {name for name in before if name.startswith(("stem.", "stages.0."))}
    statistics = {name for name, _ in network.named_buffers()}
    expected = {BN_ALL: statistics, BN_TRAINED: statistics - frozen, BN_FIXED: set()}[bn]
    assert moved & statistics == expected
    # Only the statistics: frozen weights do not change.
    assert moved - statistics == set(before) - statistics - frozen


def test_a_cached_part_never_adapts(digits: ImageDataset) -> None:
    network = fresh()
    before = snapshot(network)
    states: list[Weights] = []
    tune(
        network,
        digits,
        replace(CACHED, bn=BN_ALL),
        save=lambda state: states.append(copy.deepcopy(state.network)),
    )
    cached = ("stem.", "stages.0.", "stages.1.")
    assert not [name for name in changed(before, states[-1]) if name.startswith(cached)]


@pytest.mark.parametrize("regime", [FULL, CACHED], ids=["full", "cached"])
def test_training_starts_from_the_fitted_head_or_from_one_of_zeros(
    digits: ImageDataset, regime: Regime
) -> None:
    first_losses, curves = {}, {}
    for fitted_head in (True, False):
        network = fresh()
        reports: list[Progress] = []
        # Almost no training, so that only the initial heads matter.
        tuned = tune(
            network,
            digits,
            replace(regime, fitted_head=fitted_head, lr=1e-9, bn=BN_FIXED),
            progress=reports.append,
        )
        first_losses[fitted_head] = reports[0].train_loss
        curves[fitted_head] = tuned.training.curve
        assert tuned.training.curve[0].iteration == 0
        assert tuned.training.val_accuracy == curves[fitted_head][0].val_accuracy > 0.4
    # The first checkpoint is the fitted head in both cases.
    assert curves[True][0] == curves[False][0]
    assert {point.val_accuracy for point in curves[True]} == {curves[True][0].val_accuracy}
    assert all(point.val_accuracy < 0.35 for point in curves[False][1:])
    assert first_losses[False] == pytest.approx(math.log(10), abs=1e-4)
    assert first_losses[True] < math.log(10) - 0.1


def test_the_first_checkpoint_is_that_of_the_head_alone(digits: ImageDataset) -> None:
    alone = tune(fresh(), digits, HEAD).training.curve[0].val_accuracy
    for regime in (FULL, CACHED):
        training = tune(fresh(), digits, regime).training
        assert training.curve[0].val_accuracy == pytest.approx(alone, abs=1.5 / len(digits.val))
        error = math.sqrt(alone * (1 - alone) / len(digits.val))
        assert training.val_accuracy >= alone - 1.5 * error


@pytest.mark.parametrize("regime", [FULL, CACHED], ids=["full", "cached"])
def test_where_training_betters_nothing_the_head_is_fitted_to_validation_images_too(
    digits: ImageDataset, regime: Regime
) -> None:
    alone, trained = fresh(), fresh()
    tune(alone, digits, HEAD)
    useless = replace(regime, fitted_head=False, lr=1e-9, bn=BN_FIXED)
    looks = tune(trained, digits, useless, evaluate_at=[2]).evaluations
    expected = pooled(alone, digits, "test") @ alone.head.fc.weight.T + alone.head.fc.bias
    found = pooled(trained, digits, "test") @ trained.head.fc.weight.T + trained.head.fc.bias
    assert torch.allclose(found.softmax(1), expected.softmax(1), atol=0.05)
    right = (expected.argmax(1) == digits.test.labels).double().mean().item()
    assert looks[0].accuracy == pytest.approx(right, abs=0.02)
    before = tune(fresh(), digits, replace(useless, fitted_head=True)).training
    assert before.curve[0].val_accuracy < accuracy(trained, digits, "val")


class Killed(Exception):
    """Stands for a process that is killed midway."""


@pytest.mark.parametrize("mirror_safe", [False, True])
def test_a_killed_run_of_cached_features_goes_on(digits: ImageDataset, mirror_safe: bool) -> None:
    regime = replace(CACHED, iterations=40, lr_schedule="horizonless")
    whole = fresh()
    undisturbed = tune(whole, digits, regime, mirror_safe=mirror_safe)

    saved: list[bytes] = []

    def save(state: RunState) -> None:
        saved.append(to_bytes(state))
        if state.iteration >= 20:
            raise Killed

    with pytest.raises(Killed):
        tune(fresh(), digits, regime, mirror_safe=mirror_safe, save=save)
    state = from_bytes(saved[-1], "checkpoint")
    assert 20 <= state.iteration < 40
    resumed, clock = fresh(), StepClock(state.elapsed_s)
    tuned = tune(resumed, digits, regime, mirror_safe=mirror_safe, clock=clock, state=state)
    assert tuned.training.iterations == 40
    points = [(point.iteration, point.val_accuracy) for point in tuned.training.curve]
    assert points == [(point.iteration, point.val_accuracy) for point in undisturbed.training.curve]
    assert tuned.confusion == undisturbed.confusion
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-4), name


def test_without_room_for_features_they_are_computed_in_every_step(
    digits: ImageDataset,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cached = tune(fresh(), digits, CACHED)
    assert cached.is_cached
    monkeypatch.setattr(cached_features, "MEMORY_BYTES", 60_000)
    with largest_file(200_000):
        tuned = tune(fresh(), digits, CACHED)
    assert not tuned.is_cached
    assert tuned.training.iterations == cached.training.iterations
    assert tuned.accuracy == pytest.approx(cached.accuracy, abs=0.2)
    assert "computed in every step" in caplog.text
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_known_features_are_not_computed_again(digits: ImageDataset) -> None:
    indices = torch.randperm(len(digits.train), generator=torch.Generator().manual_seed(3))[:200]
    features = pooled(fresh(), digits, "train")[indices]
    elapsed_s, weights = [], []
    for known in (None, KnownFeatures(indices=indices, features=features)):
        network, clock = fresh(), StepClock()
        tune(network, digits, HEAD, clock=clock, features=known)
        elapsed_s.append(clock.elapsed_s())
        weights.append(network.head.fc.weight.detach())
    assert elapsed_s[0] - elapsed_s[1] == pytest.approx(200 * WORK.frozen_image_s)
    # Features differ by rounding, and the fit stops within a tolerance.
    assert (weights[0] - weights[1]).norm() < 0.1 * weights[0].norm()


def cache_of(network: StagedNetwork, data: ImageDataset, frozen: int) -> CachedFeatures:
    config = InputConfig(
        resolution=32,
        mean=ENTRY.mean,
        std=ENTRY.std,
        batch_size=4,
        flip=False,
        min_scale=0.8,
        seed=0,
    )
    prefix, _ = split_network(network, frozen)
    cache = CachedFeatures(ImageInputs(data, prefix, config, PLAIN), pooled=frozen == HEAD_ONLY)
    for split in ("train", "val", "test"):
        for _ in cache.fill(split):
            pass
    return cache


@pytest.mark.parametrize("regime", [HEAD, CACHED], ids=["head", "cached"])
def test_a_cache_and_a_head_of_an_earlier_run_serve_as_ones_own(
    digits: ImageDataset, regime: Regime
) -> None:
    own = fresh()
    expected = tune(own, digits, regime)
    network, clock = fresh(), StepClock()
    cache = cache_of(fresh(), digits, regime.frozen_stages)
    heads = None if regime == HEAD else expected.heads
    tuned = tune(network, digits, regime, clock=clock, cache=cache, heads=heads)
    assert tuned.confusion == expected.confusion
    assert tuned.training.val_accuracy == expected.training.val_accuracy
    for name, value in own.state_dict().items():
        assert torch.allclose(value.float(), network.state_dict()[name].float(), atol=1e-4), name


def test_looks_on_the_way_change_nothing_of_the_training(digits: ImageDataset) -> None:
    losses: dict[tuple[int, ...], list[float]] = {(): [], (5, 12): []}
    for looks, reported in losses.items():
        tuned = tune(
            fresh(),
            digits,
            replace(FULL, lr_schedule="horizonless"),
            evaluate_at=looks,
            progress=lambda progress, reported=reported: reported.append(progress.train_loss),
        )
        assert tuple(look.iteration for look in tuned.evaluations) == looks
        assert tuned.training.iterations == 30
    assert all(0.4 < look.accuracy <= 1 for look in tuned.evaluations)
    assert tuned.evaluations[0].elapsed_s < tuned.evaluations[1].elapsed_s
    plain, watched = losses.values()
    assert watched == pytest.approx(plain)


def test_testing_ends_where_time_does(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nasoa.training.cached_features
    import nasoa.training.inputs

    for module in (nasoa.training.inputs, nasoa.training.cached_features):
        monkeypatch.setattr(module, "EVAL_BATCH", 8)
    tested = []
    for limit_s in (4.0, 100.0):
        clock = StepClock()
        data = replace(digits, test=digits.train)
        work = replace(WORK, frozen_image_s=0.01, eval_image_s=0.01)
        tuned = tune(fresh(), data, HEAD, clock=clock, limit_s=limit_s, work=work)
        assert clock.elapsed_s() <= limit_s
        tested.append(int(np.sum(tuned.confusion)))
    assert 8 <= tested[0] < tested[1] == len(digits.train)
