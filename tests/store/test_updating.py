"""Updates of a predictor: nothing is lost and nothing learned twice, whoever updates at once."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import CorruptRecord
from nasoa.store import ArtifactStore, experience_log, keys, open_store, restoring, snapshots
from nasoa.store.base import load_newest
from nasoa.store.updating import Update
from tests.store.finished import LEARNER, NAME, experience, finish, update


def check_sum(store: ArtifactStore, accuracies: list[float]) -> None:
    newest = load_newest(store, NAME)
    state, info = newest.state, newest.info
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
