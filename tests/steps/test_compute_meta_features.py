"""The first step of a task: what it measures, passes on and stores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nasoa.data import ImageDataset
from nasoa.errors import UnknownName
from nasoa.records import Task
from nasoa.steps.compute_meta_features import describe, measure_task, read_data
from nasoa.steps.task_session import TaskSession
from nasoa.store import ArtifactStore, open_store
from nasoa.training.clock import WallClock
from nasoa.zoo.entries import REFERENCE_MODEL
from tests import steps_alone

DIGITS = "sklearn:digits:classes=0,1:per_class=60"


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return read_data(DIGITS, 0)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"))


def session_of(store: ArtifactStore, *models: str, clock: str = "steps") -> TaskSession:
    return TaskSession(store, clock=clock, models=models, threads=1)


def described(
    store: ArtifactStore, dataset: ImageDataset, *models: str, limit_s: float = 60.0
) -> Task:
    return describe(session_of(store, *models), dataset, limit_s, seed=0)


def test_images_are_kept_at_about_their_own_size_up_to_the_largest(tmp_path: Path) -> None:
    """Networks take multiples of 32 pixels."""
    for side in (48, 300):
        for i in range(24):
            image = tmp_path / str(side) / "ab"[i % 2] / f"{i}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (side, side), (10 * i, 0, 255 * (i % 2))).save(image)
    small, large = (read_data(str(tmp_path / str(side)), 0) for side in (48, 300))
    assert (small.image_resolution, large.image_resolution) == (48, 300)
    first = torch.arange(1)
    assert small.train.images(first).shape[-2:] == (64, 64)
    assert large.train.images(first).shape[-2:] == (224, 224)


def test_a_model_that_there_is_not_is_told_before_anything_is_done(
    store: ArtifactStore, dataset: ImageDataset
) -> None:
    session = session_of(store, "ET-NAS-AA")
    with pytest.raises(UnknownName, match="unknown model 'ET-NAS-AA': did you mean ET-NAS-A"):
        describe(session, dataset, 60.0, seed=0)
    assert session.clock().elapsed_s() == 0.0
    assert store.list() == []


def test_what_is_known_of_a_task(store: ArtifactStore, dataset: ImageDataset) -> None:
    session = session_of(store, REFERENCE_MODEL)
    session.clock(2.0)
    task = describe(session, dataset, 60.0, seed=0)
    counts = (task.num_train, task.num_val, task.num_test)
    assert counts == (len(dataset.train), len(dataset.val), len(dataset.test))
    assert (task.resolution, task.data, task.seed) == (8, DIGITS, 0)
    assert task.meta_features.num_classes == len(task.class_names) == 2
    assert task.used_s == session.clock().elapsed_s() > 2.0
    # The features of the reference model are those of the landmark; no other model is probed.
    (probe,) = task.probes
    assert probe.accuracy == probe.reference_accuracy == task.meta_features.landmark_accuracy
    # With the step clock, no step is timed.
    assert store.list() == []


def test_the_features_of_probes_are_handed_on(store: ArtifactStore, dataset: ImageDataset) -> None:
    session = session_of(store, REFERENCE_MODEL, "ET-NAS-B", clock="wall")
    task = describe(session, dataset, 600.0, seed=0)
    assert [probe.model for probe in task.probes] == [REFERENCE_MODEL, "ET-NAS-B"]
    assert session.features is not None
    assert set(session.features) == {(p.model, p.resolution) for p in task.probes}
    for probe in task.probes:
        known = session.features[probe.model, probe.resolution]
        assert len(known.indices) == len(known.features) == probe.num_images
        assert known.features.isfinite().all()


def test_a_longer_limit_is_no_other_task_but_for_its_probes(
    store: ArtifactStore, dataset: ImageDataset
) -> None:
    """If nothing can be trained within the limit, only the probe that costs nothing is made."""
    short, long = (
        described(store, dataset, REFERENCE_MODEL, "ET-NAS-B", limit_s=limit_s)
        for limit_s in (0.3, 600.0)
    )
    assert [probe.model for probe in short.probes] == [REFERENCE_MODEL]
    assert len(long.probes) == 2
    same = {"task_id": "", "time_limit_s": 0.0, "probes": (), "used_s": 0.0}
    assert replace(short, **same) == replace(long, **same)


def test_the_step_alone_gives_the_same_record(store: ArtifactStore, dataset: ImageDataset) -> None:
    within = described(store, dataset, REFERENCE_MODEL)
    alone = steps_alone.compute_meta_features(
        DIGITS, "60s", store.uri, clock="steps", models=[REFERENCE_MODEL]
    )
    # It uses all cores, whose number is part of the hardware's name.
    own = {"task_id": within.task_id, "hardware": within.hardware}
    assert replace(alone, **own) == within


def test_steps_are_timed_unless_the_clock_counts_steps(
    store: ArtifactStore, dataset: ImageDataset
) -> None:
    by_clock = {
        clock: describe(session_of(store, REFERENCE_MODEL, clock=clock), dataset, 60.0, seed=0)
        for clock in ("wall", "steps")
    }
    wall, steps = by_clock["wall"], by_clock["steps"]
    assert 0.0 < wall.reference_image_s < wall.reference_step_s < 10.0
    assert 0.0 < wall.small_step_s < 10.0
    assert 0.0 < wall.depthwise_step_s < 10.0
    assert 0.0 < wall.fit_pass_s < 1.0
    for name in (
        "reference_image_s",
        "reference_step_s",
        "small_step_s",
        "depthwise_step_s",
        "fit_pass_s",
    ):
        assert getattr(steps, name) == 0.0


def test_the_landmark_uses_one_image_of_a_group(tmp_path: Path) -> None:
    """Copies of an image say nothing of images that are new."""
    rng = np.random.default_rng(0)
    for label in "ab":
        for group in range(12):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            for copy in range(4):
                image = tmp_path / label / f"g{label.upper()}{group}_{copy}.png"
                image.parent.mkdir(exist_ok=True)
                Image.fromarray(pixels).save(image)
    data = read_data(str(tmp_path), 0)
    measured, _safe, sample = measure_task(data, 0, WallClock())
    groups = data.train.groups
    assert groups is not None
    assert len(sample.indices) == len(set(groups.tolist())) < len(data.train)
    assert measured.landmark_accuracy is not None
    assert measured.landmark_accuracy < 0.9  # noise has no classes; with copies it would be 1
