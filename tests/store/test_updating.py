"""Concurrent updates of a predictor lose nothing and learn nothing twice."""

from __future__ import annotations

import json
import logging
import multiprocessing
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save as save_tensors

from nasoa.errors import CorruptRecord
from nasoa.store import (
    ArtifactStore,
    experience_log,
    keys,
    open_store,
    restoring,
    snapshots,
    updating,
    version_info,
)
from nasoa.store.snapshots import Snapshot
from nasoa.store.updating import Update
from nasoa.store.version_info import LearningRecord
from tests.store.finished import LEARNER, NAME, add_up, experience, finish, newest_version, update


def check_sum(store: ArtifactStore, accuracies: list[float]) -> None:
    newest = newest_version(store)
    state, info = newest.predictor, newest.info
    assert state is not None
    assert int(state["count"]) == len(accuracies)
    assert float(state["total"]) == pytest.approx(sum(accuracies))
    assert len(info.learned) == len(set(info.learned)) == len(accuracies)
    learned_by_versions = [
        task
        for version in snapshots.versions(store, NAME)
        for task in snapshots.load(store, NAME, version).info.new
    ]
    assert sorted(learned_by_versions) == sorted(info.learned)


def test_an_update_learns_what_is_new(uri: str) -> None:
    store = open_store(uri)
    assert update(store) == Update(0, 0, ())
    assert snapshots.versions(store, NAME) == []
    experience_log.append(store, experience("t1", 0.5))
    assert update(store) == Update(0, 1, ("t1",))
    experience_log.append(store, experience("t3", 0.25))
    experience_log.append(store, experience("t2", 0.125))
    assert update(store) == Update(1, 2, ("t2", "t3"))
    assert update(store) == Update(2, 2, ())
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

    def finish_one(i: int) -> None:
        try:
            store = open_store(uri)
            barrier.wait()
            experience_log.append(store, experience(f"t{i:02d}", accuracies[i]))
            update(store)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=finish_one, args=(i,)) for i in range(16)]
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


@pytest.mark.slow
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
        assert update(store) == Update(1, 3, ("t2",))
    assert "v000002.safetensors" in caplog.text
    made = snapshots.load(store, NAME, 3)
    assert (int(made.state["count"]), made.info.learned) == (2, ("t1", "t2"))


def test_a_corrupt_experience_is_named_and_skipped(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    experience_log.append(store, experience("t1", 0.5))
    store.put(keys.experience("t2"), b'{"task": 1}')
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1",)
    assert "experience/t2.json" in caplog.text


def test_an_update_goes_on_after_any_corruption(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    """The state equals that of the same updates without corruption."""
    store, whole = open_store(uri), open_store(uri + "-whole")
    for opened in (store, whole):
        for task_id in ("t1", "t2", "t3"):
            finish(opened, task_id)
            update(opened)
        finish(opened, "t4")
    for version in (2, 3):
        store.put(keys.predictor(NAME, version, "safetensors"), b"\0" * 20)
    with caplog.at_level(logging.WARNING):
        assert update(store) == Update(1, 4, ("t2", "t3", "t4"))
    assert "v000002.safetensors" in caplog.text
    assert "v000003.safetensors" in caplog.text
    update(whole)
    assert_equal_states(store, whole)
    for version in (1, 2, 3, 4):
        store.put(keys.predictor(NAME, version, "safetensors"), b"")
    assert update(store) == Update(0, 5, ("t1", "t2", "t3", "t4"))
    assert_equal_states(store, whole)


def test_a_state_that_does_not_fit_is_named_and_learned_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    finish(store, "t1", "t2")
    update(store)
    made = snapshots.load(store, NAME, 1)
    other = {name: value for name, value in made.state.items() if name != "order"}
    snapshots.save(store, Snapshot(other, replace(made.info, version=2, parent=1)))
    finish(store, "t3")
    with caplog.at_level(logging.WARNING):
        assert update(store) == Update(1, 3, ("t3",))
    assert "v000002.safetensors' cannot be read: other arrays" in caplog.text


def test_a_predictor_of_another_layout_is_named_and_what_it_left_out_stays_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    older = replace(LEARNER, name="sum-of-before")
    finish(store, "t1", "t2", "t3")
    updating.update(store, older)
    restoring.rebuild(store, older, ["t2"])
    with caplog.at_level(logging.WARNING):
        assert update(store) == Update(0, 1, ("t1", "t3"))
    assert caplog.text.count("'sum-of-before' has another feature layout") == 1
    assert newest_version(store).info.left_out == ("t2",)


def test_errors_are_those_before_learning_and_go_on(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    experience_log.append(store, experience("t1", 0.5))
    update(store)
    experience_log.append(store, experience("t2", 0.25))
    experience_log.append(store, experience("t3", 0.75))
    update(store)
    record = newest_version(store).info.record
    # The predictions are the mean of 0.5, and that of 0.5 and 0.25.
    assert record.errors == (0.25, 0.375 - 0.75)
    assert (record.num_errors, record.sum_abs_error) == (3, 0.5 + 0.25 + 0.375)


def test_versions_of_an_earlier_release_are_gone_on_from(tmp_path: Path) -> None:
    """Their information had every task, and neither kind nor record."""
    store = open_store(str(tmp_path))
    finish(store, "t1", "t2")
    state, _ = add_up(None, LearningRecord(), [experience_log.read(store, "t1")])
    info = {
        "name": NAME,
        "version": 1,
        "parent": 0,
        "learned": ["t1"],
        "new": ["t1"],
        "created_at": "before",
        "code_version": "0",
    }
    document = save_tensors(state, {"info": json.dumps(info)})
    store.put(keys.predictor(NAME, 1, "safetensors"), document)
    assert update(store) == Update(1, 2, ("t2",))
    made = snapshots.load(store, NAME, 2)
    assert int(made.state["count"]) == 2
    assert made.info.learned == ("t1", "t2")
    assert made.info.kind == version_info.UPDATE


def assert_equal_states(one: ArtifactStore, other: ArtifactStore) -> None:
    first, second = newest_version(one), newest_version(other)
    assert first.predictor is not None
    assert first.predictor == second.predictor
    assert first.info.learned == second.info.learned
