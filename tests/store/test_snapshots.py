"""Versions of a predictor: nothing is lost and nothing learned twice, whoever updates at once."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasoa.errors import CorruptRecord
from nasoa.records import Experience, MetaFeatures, Regime, Task, ZooEntry
from nasoa.store import ArtifactStore, experience_log, keys, open_store, snapshots

NAME = "sum"


@pytest.fixture(params=["local", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3_environment")
    return f"s3://nasoa/{uuid.uuid4().hex}"


def experience(task_id: str, accuracy: float) -> Experience:
    """A finished fine-tune that never was."""
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


def add_up(state: snapshots.State | None, experiences: list[Experience]) -> snapshots.State:
    """A state in which a doubled or lost experience is seen: count and sum."""
    count, total = (0, 0.0) if state is None else (int(state["count"]), float(state["total"]))
    for one in experiences:
        count, total = count + 1, total + one.accuracy
    return {"count": np.array(count), "total": np.array(total)}


def update(store: ArtifactStore) -> snapshots.Update:
    return snapshots.update(store, NAME, add_up, created_at=lambda: "now", code_version="0")


def check_sum(store: ArtifactStore, accuracies: list[float]) -> None:
    newest = snapshots.load_newest(store, NAME)
    assert newest is not None
    state, info = newest
    assert int(state["count"]) == len(accuracies)
    assert float(state["total"]) == pytest.approx(sum(accuracies))
    assert len(info.learned) == len(set(info.learned)) == len(accuracies)
    learned_by_versions = [
        task
        for version in snapshots.versions(store, NAME)
        for task in snapshots.load(store, NAME, version)[1].new
    ]
    assert sorted(learned_by_versions) == sorted(info.learned)


def test_an_update_learns_what_is_new(uri: str) -> None:
    store = open_store(uri)
    assert update(store) == snapshots.Update(0, 0, ())
    assert snapshots.versions(store, NAME) == []
    experience_log.append(store, experience("t1", 0.5))
    assert update(store) == snapshots.Update(0, 1, ("t1",))
    experience_log.append(store, experience("t3", 0.25))
    experience_log.append(store, experience("t2", 0.125))
    assert update(store) == snapshots.Update(1, 2, ("t2", "t3"))
    assert update(store) == snapshots.Update(2, 2, ())
    check_sum(store, [0.5, 0.25, 0.125])


def test_a_task_has_one_experience(uri: str) -> None:
    store = open_store(uri)
    assert experience_log.append(store, experience("t1", 0.5))
    assert not experience_log.append(store, experience("t1", 0.9))
    assert experience_log.read(store, "t1").accuracy == 0.5


def test_sixteen_threads_update_one_predictor(uri: str) -> None:
    accuracies = [1 / (i + 2) for i in range(16)]
    barrier = threading.Barrier(16)
    failures: list[BaseException] = []

    def finish(i: int) -> None:
        try:
            store = open_store(uri)
            barrier.wait()
            experience_log.append(store, experience(f"t{i:02d}", accuracies[i]))
            update(store)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=finish, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check_sum(open_store(uri), accuracies)


def _finish_some(uri: str, number: int, start: Any) -> None:
    store = open_store(uri)
    start.wait()
    for turn in range(4):
        experience_log.append(store, experience(f"p{number}-{turn}", 1 / (1 + number + 4 * turn)))
        update(store)


def test_four_processes_update_one_predictor(uri: str) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    processes = [context.Process(target=_finish_some, args=(uri, i, start)) for i in range(4)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    check_sum(open_store(uri), [1 / (1 + n + 4 * t) for n in range(4) for t in range(4)])


def test_a_corrupt_version_is_named_and_learned_again(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    for task in ("t1", "t2"):
        experience_log.append(store, experience(task, 0.5))
        update(store)
    key = keys.predictor(NAME, 2, "safetensors")
    store.put(key, store.get(key)[:50])
    with pytest.raises(CorruptRecord, match="v000002"):
        snapshots.load(store, NAME, 2)
    with caplog.at_level(logging.WARNING):
        assert update(store) == snapshots.Update(1, 3, ("t2",))
    assert "v000002.safetensors" in caplog.text
    state, info = snapshots.load(store, NAME, 3)
    assert (int(state["count"]), info.learned) == (2, ("t1", "t2"))


def test_a_corrupt_experience_is_named_and_skipped(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    experience_log.append(store, experience("t1", 0.5))
    store.put(keys.experience("t2"), b'{"task": 1}')
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1",)
    assert "experience/t2.json" in caplog.text
