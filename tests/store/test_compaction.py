"""Compaction of the log: nothing is lost or doubled, whoever packs and whenever it is stopped."""

from __future__ import annotations

import gzip
import logging
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput, ObjectNotFound, StoreUnavailable
from nasoa.records import to_json
from nasoa.store import ArtifactStore, experience_blocks, experience_log, keys, open_store
from nasoa.store.compaction import Compaction, compact
from nasoa.store.updating import Update
from tests.store.finished import experience, finish, newest_version, update

TASKS = [f"t{i:02d}" for i in range(10)]


def in_log(store: ArtifactStore) -> list[str]:
    return [e.task.task_id for e in experience_log.read_all(store)]


def packed(store: ArtifactStore) -> list[str]:
    """Return the tasks in all blocks, in order; each may occur only once."""
    blocks = [experience_blocks.read(store, n) for n in experience_blocks.numbers(store)]
    return [task_id for lines in blocks for task_id in lines]


def test_the_oldest_are_packed_and_read_as_before(uri: str) -> None:
    store = open_store(uri)
    finish(store, *TASKS)
    before = experience_log.read_all(store)
    assert compact(store, 4) == Compaction(blocks=2, packed=8, loose=2)
    assert experience_log.loose_ids(store) == TASKS[8:]
    assert packed(store) == TASKS[:8]
    assert experience_log.read_all(store) == before
    assert experience_log.task_ids(store) == TASKS
    assert experience_log.read(store, "t03") == before[3]
    with pytest.raises(ObjectNotFound, match="t99"):
        experience_log.read(store, "t99")
    assert compact(store, 4) == Compaction(blocks=0, packed=0, loose=2)


def test_an_update_learns_loose_and_packed_ones_once(uri: str) -> None:
    store = open_store(uri)
    finish(store, *TASKS[:3])
    update(store)
    finish(store, *TASKS[3:])
    compact(store, 4)
    assert update(store) == Update(1, 2, tuple(TASKS[3:]))
    newest = newest_version(store).info
    assert newest.learned == tuple(TASKS)
    assert newest.blocks == (1, 2)
    finish(store, "t98", "t99")
    compact(store, 4)
    assert update(store) == Update(2, 3, ("t98", "t99"))
    assert update(store) == Update(3, 3, ())


def test_what_is_packed_between_listing_and_reading_is_found(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, *TASKS)
    listed = experience_log.loose_ids(store)
    compact(store, 5)
    found = experience_log.read_loose(store, listed)
    assert sorted(e.task.task_id for e in found) == TASKS


def test_a_task_recorded_again_after_packing_counts_once(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, *TASKS)
    update(store)
    compact(store, 10)
    experience_log.append(store, experience("t03", 0.123))
    assert update(store) == Update(1, 1, ())
    assert in_log(store) == TASKS
    assert 0.123 not in [e.accuracy for e in experience_log.read_all(store)]
    finish(store, *(f"u{i}" for i in range(10)))
    compact(store, 10)
    assert experience_log.loose_ids(store) == []
    assert sorted(packed(store)) == in_log(store)


class Killed(Exception):
    """The process ended here."""


class StopsAfter:
    """A store that kills the process at the n-th write or deletion."""

    def __init__(self, store: ArtifactStore, changes: int) -> None:
        self._store, self._left = store, changes
        self.uri, self.get, self.list, self.stat = store.uri, store.get, store.list, store.stat

    def _count(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1

    def put(self, key: str, data: bytes) -> None:
        self._count()
        self._store.put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._count()
        return self._store.put_if_absent(key, data)

    def delete(self, key: str) -> None:
        self._count()
        self._store.delete(key)


@settings(max_examples=15, deadline=None)
@given(changes=st.lists(st.integers(0, 8), max_size=4), learn=st.booleans())
def test_a_crash_at_any_moment_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[int], learn: bool
) -> None:
    store = open_store(str(tmp_path_factory.mktemp("crash")))
    finish(store, *TASKS)
    for stops_after in changes:
        try:
            compact(StopsAfter(store, stops_after), 3)
        except Killed:
            if learn:
                update(store)
        assert in_log(store) == TASKS
    compact(store, 3)
    assert packed(store) == TASKS[:9]
    assert experience_log.loose_ids(store) == TASKS[9:]
    update(store)
    assert newest_version(store).info.learned == tuple(TASKS)
    state = newest_version(store).predictor
    assert state is not None
    assert int(state["count"]) == len(TASKS)


def test_many_pack_at_once_while_tasks_end_and_are_learned(uri: str) -> None:
    store = open_store(uri)
    finish(store, *TASKS)
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            opened = open_store(uri)
            barrier.wait()
            if number % 2:
                for turn in range(3):
                    finish(opened, f"u{number}-{turn}")
                    update(opened)
            else:
                compact(opened, 4)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    everything = sorted([*TASKS, *(f"u{n}-{t}" for n in (1, 3, 5, 7) for t in range(3))])
    compact(store, 4)
    update(store)
    assert len(packed(store)) == len(set(packed(store))) == 20
    assert sorted(in_log(store)) == everything
    newest = newest_version(store)
    assert newest.predictor is not None
    assert newest.info.learned == tuple(everything)
    assert int(newest.predictor["count"]) == len(everything)


def _pack(uri: str, start: Any) -> None:
    start.wait()
    compact(open_store(uri), 5)


@pytest.mark.slow
def test_processes_pack_at_once(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, *(f"t{i:03d}" for i in range(103)))
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    processes = [context.Process(target=_pack, args=(str(tmp_path), start)) for _ in range(3)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert packed(store) == [f"t{i:03d}" for i in range(100)]
    assert experience_log.loose_ids(store) == ["t100", "t101", "t102"]


def test_what_cannot_be_read_is_named_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    finish(store, *TASKS)
    store.put(keys.experience("t01"), b"{}")
    with caplog.at_level(logging.WARNING):
        assert compact(store, 4).packed == 8
    assert "experience/t01.json" in caplog.text
    assert experience_log.loose_ids(store) == ["t01", "t09"]
    update(store)
    store.put(keys.experience_block(1), store.get(keys.experience_block(1))[:60])
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert in_log(store) == ["t05", "t06", "t07", "t08", "t09"]
    assert "experience/block/000001.jsonl.gz" in caplog.text
    # The damaged block's number is not used again, and what was learned from it stays learned.
    finish(store, "u1", "u2", "u3")
    assert compact(store, 4).blocks == 1
    assert experience_blocks.numbers(store) == [1, 2, 3]
    assert update(store).learned == ("u1", "u2", "u3")
    assert len(newest_version(store).info.learned) == 12


def test_a_packed_experience_that_cannot_be_read_is_named_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For example, one of a later release, with fields that this release does not know."""
    store = open_store(str(tmp_path))
    finish(store, "t1")
    experience_blocks.write(store, 1, [experience("t2", 0.5), experience("t3", 0.5)])
    key = keys.experience_block(1)
    whole = store.get(key)
    lines = gzip.decompress(whole).replace(b'"dataset":"photos"', b'"dataset":null', 1)
    store.put(key, gzip.compress(lines))
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1", "t3")
        assert in_log(store) == ["t1", "t3"]
    assert "000001.jsonl.gz (t2)" in caplog.text
    store.put(key, whole)
    assert update(store).learned == ("t2",)
    assert newest_version(store).info.blocks == (1,)


def test_an_experience_of_another_task_or_without_accuracy_is_named_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For example, after a copy by hand: it would be learned and packed again and again."""
    store = open_store(str(tmp_path))
    finish(store, "t1", "t2", "t3")
    store.put(keys.experience("t4"), to_json(experience("t9", 0.5)))
    store.put(keys.experience("t5"), to_json(experience("t5", 93.0)))
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1", "t2", "t3")
        assert compact(store, 1) == Compaction(blocks=3, packed=3, loose=2)
    assert "experience/t4.json' cannot be read: it belongs to the task 't9'" in caplog.text
    assert "experience/t5.json' cannot be read: expected an accuracy in [0, 1], got 93.0" in (
        caplog.text
    )
    assert update(store).learned == ()


def test_equal_experiences_make_equal_blocks(tmp_path: Path) -> None:
    contents = set()
    for name, tasks in (("a", TASKS), ("b", TASKS[::-1])):
        store = open_store(str(tmp_path / name))
        finish(store, *tasks)
        compact(store, 10)
        contents.add(store.get(keys.experience_block(1)))
    assert len(contents) == 1


class Forgetful(StopsAfter):
    """A store that returns a block shorter than it was written."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        (shorter,) = [experience("t00", 0.5)]
        experience_blocks.write(self._store, 1, [shorter])
        return True


def test_nothing_is_deleted_that_is_not_surely_in_a_block(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, *TASKS)
    with pytest.raises(StoreUnavailable, match="nothing was deleted"):
        compact(Forgetful(store, 0), 10)
    assert experience_log.loose_ids(store) == TASKS


def test_a_block_holds_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at least 1 experience, got 0"):
        compact(open_store(str(tmp_path)), 0)
