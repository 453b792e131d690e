"""Made-up experiences, and a predictor whose state shows what it has learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasoa.errors import InvalidInput
from nasoa.records import Experience, MetaFeatures, Regime, Task, ZooEntry
from nasoa.store import ArtifactStore, experience_log, updating
from nasoa.store.base_version import BaseVersion, load_newest
from nasoa.store.next_version import Learner
from nasoa.store.snapshots import State
from nasoa.store.version_info import LearningRecord

NAME = "sum"


def experience(task_id: str, accuracy: float) -> Experience:
    """Return a made-up experience."""
    meta = MetaFeatures(
        num_classes=2,
        num_images=10,
        mean_images_per_class=5.0,
        std_images_per_class=0.0,
        domain_similarity=0.9,
    )
    task = Task(
        task_id=task_id,
        data="photos.zip",
        dataset="photos",
        time_limit_s=10.0,
        seed=0,
        class_names=("a", "b"),
        num_train=8,
        num_val=1,
        num_test=1,
        resolution=64,
        meta_features=meta,
        mirror_safe=True,
        used_s=0.1,
        clock="wall",
        hardware="cpu",
    )
    regime = Regime(
        model="m",
        lr=0.1,
        frozen_stages=-1,
        iterations=5,
        batch_size=64,
        resolution=64,
        lr_schedule="cosine",
    )
    entry = ZooEntry(
        name="m",
        family="f",
        encoding="",
        num_params=1,
        part_macs=(1,) * 6,
        part_activations=(1,) * 6,
        resolution=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        num_classes=2,
        source="s",
        source_accuracy=0.5,
    )
    return Experience(
        task=task,
        run_id=task_id,
        regime=regime,
        model=entry,
        predicted_accuracy=0.5,
        predictor_version=0,
        accuracy=accuracy,
        val_accuracy=accuracy,
        elapsed_s=1.0,
        curve=(),
        confusion=((1, 0), (0, 1)),
        ended="deadline",
        model_dir="",
        code_version="0",
        created_at=task_id,
    )


def add_up(
    state: State | None, record: LearningRecord, experiences: Sequence[Experience]
) -> tuple[State, LearningRecord]:
    """Learn into a state that shows doubled, lost or misplaced experiences: count, sum, order."""
    start = {"count": 0.0, "total": 0.0, "order": 1.0}
    count, total, order = (float((start if state is None else state)[k]) for k in start)
    errors = record.errors
    for one in experiences:
        errors = (*errors, total / max(count, 1) - one.accuracy)
        count, total = count + 1, total + one.accuracy
        order = (order * 31 + one.accuracy * 1000) % 100_003
    added = sum(abs(error) for error in errors[len(record.errors) :])
    return {"count": np.array(count), "total": np.array(total), "order": np.array(order)}, replace(
        record,
        errors=errors,
        num_errors=record.num_errors + len(experiences),
        sum_abs_error=record.sum_abs_error + added,
    )


def restore(state: State) -> State:
    if set(state) != {"count", "total", "order"}:
        raise InvalidInput("other arrays")
    return state


LEARNER: Learner[State] = Learner(
    name=NAME, restore=restore, learn=add_up, created_at=lambda: "now", code_version="0"
)


def update(store: ArtifactStore, *, relearn: bool = False) -> updating.Update:
    return updating.update(store, LEARNER, relearn=relearn)


def newest_version(store: ArtifactStore) -> BaseVersion[State]:
    return load_newest(store, NAME, restore)


def finish(store: ArtifactStore, *task_ids: str) -> None:
    """Record an experience of each task, each with a different accuracy."""
    for task_id in task_ids:
        experience_log.append(store, experience(task_id, accuracy_of(task_id)))


def accuracy_of(task_id: str) -> float:
    return (sum(task_id.encode()) % 97) / 97
