"""Decoded images are passed from the step that describes a task to the one that fine-tunes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nasoa.data import ImageDataset, load_dataset
from nasoa.records import MetaFeatures, Task
from nasoa.steps.decoded_artifact import hand_over, take_over
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store

DIGITS = "sklearn:digits:classes=0,1,2:per_class=20"


@dataclass
class Decoded:
    path: str
    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def decoded(tmp_path: Path) -> Decoded:
    return Decoded(str(tmp_path / "run" / "decoded"))


@pytest.fixture
def session(tmp_path: Path) -> TaskSession:
    return TaskSession(open_store(str(tmp_path / "store")))


@pytest.fixture
def dataset() -> ImageDataset:
    """Return a data set whose images appear to take long to decode."""
    return replace(load_dataset(DIGITS, seed=0), decoding_s=100.0)


@pytest.fixture
def task(dataset: ImageDataset) -> Task:
    return Task(
        task_id="t",
        data=DIGITS,
        dataset=dataset.name,
        time_limit_s=60.0,
        seed=0,
        class_names=dataset.class_names,
        num_train=len(dataset.train),
        num_val=len(dataset.val),
        num_test=len(dataset.test),
        resolution=dataset.image_resolution,
        meta_features=MetaFeatures(
            num_classes=3,
            num_images=60,
            mean_images_per_class=20.0,
            std_images_per_class=0.0,
            domain_similarity=0.9,
        ),
        mirror_safe=False,
        used_s=1e-3,
        clock="wall",
        hardware="x",
    )


def test_the_images_are_those_that_were_described_and_their_way_counts(
    session: TaskSession, dataset: ImageDataset, task: Task, decoded: Decoded
) -> None:
    session.dataset = dataset
    session.clock()
    task = replace(task, used_s=0.0)
    later = hand_over(session, task, decoded)
    assert later.used_s > task.used_s
    assert later.energy is not None
    assert later.energy.energy_wh > 0
    assert replace(later, used_s=task.used_s, energy=task.energy) == task
    other = TaskSession(session.store)
    take_over(other, task, decoded)
    assert other.dataset is not None
    everything = torch.arange(task.num_train)
    assert torch.equal(other.dataset.train.images(everything), dataset.train.images(everything))
    assert other.dataset.class_names == task.class_names


def test_what_is_decoded_quickly_is_read_again(
    session: TaskSession, dataset: ImageDataset, task: Task, decoded: Decoded
) -> None:
    session.dataset = replace(dataset, decoding_s=0.0)
    assert hand_over(session, task, decoded) == task
    assert Path(decoded.path).read_bytes() == b""  # KFP requires the file
    take_over(session, task, decoded)
    assert session.dataset.decoding_s == 0.0


def test_a_component_alone_has_no_images() -> None:
    take_over(None, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["cut", "gone", "another task"])
def test_what_cannot_be_used_is_said_and_the_data_are_read(
    session: TaskSession,
    dataset: ImageDataset,
    task: Task,
    decoded: Decoded,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    session.dataset = dataset
    hand_over(session, task, decoded)
    path = Path(decoded.path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    if damage == "gone":
        path.unlink()
    if damage == "another task":
        task = replace(task, class_names=("3", "4", "5"))
    other = TaskSession(session.store)
    with caplog.at_level(logging.WARNING):
        take_over(other, task, decoded)
    assert other.dataset is None
    assert len(caplog.messages) == 1


def test_a_full_disk_costs_the_way_only(
    session: TaskSession,
    dataset: ImageDataset,
    task: Task,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    decoded: Decoded,
) -> None:
    session.dataset = dataset

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nasoa.data.decoded_file.save_file", refuse)
    with caplog.at_level(logging.WARNING):
        hand_over(session, task, decoded)
    assert Path(decoded.path).read_bytes() == b""
    assert "No space left" in caplog.text
