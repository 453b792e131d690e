"""Maintenance of a store: nothing that counts is lost, and growth is bounded."""

from __future__ import annotations

import gzip
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.cli.main import main
from nasoa.errors import InvalidInput, ObjectNotFound, StoreFailed, StoreUnavailable
from nasoa.records import to_json
from nasoa.steps import learning, predictor_history
from nasoa.store import (
    ArtifactStore,
    experience_log,
    keys,
    open_store,
    restoring,
    snapshots,
    thinning,
    version_info,
)
from nasoa.store.confusions import MOST_CLASSES, with_confusion
from nasoa.store.maintenance import Care, care, collect_checkpoints
from nasoa.store.snapshots import Snapshot
from nasoa.store.updating import Update
from tests.store.finished import LEARNER, NAME, add_up, experience, finish, newest_version, update
from tests.store.test_damage import flipped


def test_a_damaged_experience_is_quarantined_and_named_once(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    finish(store, "t1", "t2", "t3")
    key = keys.experience("t2")
    damaged = flipped(store.get(key), 4000)
    store.put(key, damaged)
    store.put(keys.experience("t4"), b"")
    with caplog.at_level(logging.WARNING):
        done = care(store, 100)
    assert len(done.quarantined) == len(caplog.messages) == 2
    assert done.loose == 2
    for line, name in zip(sorted(caplog.messages), ("t2", "t4"), strict=True):
        assert keys.experience(name) in line
        assert "experience/quarantine/" in line
    assert store.get(sorted(done.quarantined)[0]) == damaged
    assert experience_log.loose_ids(store) == ["t1", "t3"]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert update(store).learned == ("t1", "t3")
        assert care(store, 100).quarantined == ()
    assert caplog.messages == []


def test_what_another_release_wrote_is_no_damage(tmp_path: Path) -> None:
    """The object is sealed, and has a field of another type."""
    from nasoa.seal import seal_json

    store = open_store(str(tmp_path))
    document = {**json.loads(to_json(experience("t1", 0.5))), "accuracy": {"top1": 0.5}}
    store.put(keys.experience("t1"), seal_json(json.dumps(document).encode()))
    assert care(store).quarantined == ()
    assert experience_log.loose_ids(store) == ["t1"]


class FailsOnce:
    """A store whose first read of each experience is truncated."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store, self._seen = store, set[str]()
        self.uri, self.list, self.stat, self.put = store.uri, store.list, store.stat, store.put
        self.put_if_absent, self.delete = store.put_if_absent, store.delete

    def get(self, key: str) -> bytes:
        content = self._store.get(key)
        if key in self._seen:
            return content
        self._seen.add(key)
        return content[:100]


def test_a_reading_that_failed_quarantines_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, "t1", "t2")
    assert care(FailsOnce(store)).quarantined == ()  # type: ignore[arg-type]
    assert experience_log.loose_ids(store) == ["t1", "t2"]


def make_versions(store: ArtifactStore, count: int) -> None:
    """Make versions 1 to `count`, each of which learned one task."""
    state, record = None, version_info.LearningRecord()
    learned: list[str] = []
    for number in range(1, count + 1):
        one = experience(f"t{number:05d}", (number % 7) / 7)
        state, record = add_up(state, record, [one])
        learned.append(one.task.task_id)
        info = version_info.SnapshotInfo(
            name=NAME,
            version=number,
            parent=number - 1,
            learned=tuple(learned),
            new=(one.task.task_id,),
            created_at="now",
            code_version="0",
            record=replace(record, errors=record.errors[-1:]),
        )
        assert snapshots.save(store, Snapshot(state, info))


def test_versions_are_thinned_and_what_they_were_stays_known(uri: str) -> None:
    store = open_store(uri)
    make_versions(store, 131)
    before = newest_version(store)
    assert care(store).versions == 131 - len(thinning.kept_versions(range(1, 132)))
    kept = snapshots.versions(store, NAME)
    assert kept == [1, 10, 20, 30, *range(32, 132)]
    assert newest_version(store).info == before.info
    history = thinning.history(store, NAME)
    assert sorted([*history, *kept]) == list(range(1, 132))
    past = history[27]
    assert (past.info.new, past.num_learned, past.info.parent) == (("t00027",), 27, 26)
    assert len(past.info.record.errors) == 1
    # A rollback to a kept version works, and learning continues from it.
    with pytest.raises(InvalidInput, match=r"got 27: the versions are 1, 10, 20, 30, 32 to 131"):
        restoring.rollback(store, LEARNER, 27)
    assert restoring.rollback(store, LEARNER, 20).version == 132
    finish(store, "u1")
    assert update(store) == Update(132, 133, ("u1",))
    assert newest_version(store).info.learned == (*before.info.learned[:20], "u1")
    assert care(store).versions == 2  # 32 and 33 are older than the newest hundred now


def test_what_a_rollback_among_the_newest_went_back_to_is_kept(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    make_versions(store, 105)
    restoring.rollback(store, LEARNER, 3)
    care(store)
    assert snapshots.versions(store, NAME)[:3] == [1, 3, 7]
    # A damaged rollback is restored from it, and does not learn what was left out.
    key = keys.predictor(NAME, 106, "safetensors")
    store.put(key, store.get(key)[:100])
    finish(store, "u1")
    assert update(store).learned == ("u1",)
    assert newest_version(store).info.learned == ("t00001", "t00002", "t00003", "u1")


@given(st.integers(1, 30_000), st.integers(1, 2_000))
@settings(max_examples=40, deadline=None)
def test_few_versions_are_kept_however_many_there_were(count: int, more: int) -> None:
    first = thinning.kept_versions(range(1, count + 1))
    later = thinning.kept_versions(range(1, count + more + 1))
    assert {1, *range(max(1, count - 99), count + 1)} <= first
    assert len(first) <= 101 + 90 * 4
    # A later call never needs a version that was removed, so choices need not be remembered.
    assert {number for number in later if number <= count} <= first
    # For every age, a version nearby is kept.
    for age in (150, 1500, 15_000):
        if age < count:
            assert min(abs(number - (count - age)) for number in first) <= age / 10


class Killed(Exception):
    """The process ended here."""


class StopsAfter:
    """A store that kills the process at the n-th write or deletion, before or after its effect."""

    def __init__(self, store: ArtifactStore, changes: int, done: bool) -> None:
        self._store, self._left, self._done = store, changes, done
        self.uri, self.get, self.list, self.stat = store.uri, store.get, store.list, store.stat

    def _changed(self, change: Any) -> Any:
        if self._left == 0:
            if self._done:
                change()
            raise Killed
        self._left -= 1
        return change()

    def put(self, key: str, data: bytes) -> None:
        self._changed(lambda: self._store.put(key, data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return bool(self._changed(lambda: self._store.put_if_absent(key, data)))

    def delete(self, key: str) -> None:
        self._changed(lambda: self._store.delete(key))


def test_care_may_end_at_any_moment(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    make_versions(store, 106)
    finish(store, *(f"u{number}" for number in range(7)))
    store.put(keys.experience("u3"), b"damaged")
    store.put("checkpoint/u1/000000010.safetensors", b"x")
    store.put("checkpoint/u1/000000020.safetensors", b"x")
    before = newest_version(store).info
    moments = 0
    for moments in range(200):
        try:
            care(StopsAfter(store, moments % 3, done=bool(moments % 2)), 3)  # type: ignore[arg-type]
            break
        except Killed:
            assert newest_version(store).info == before
            present = {*snapshots.versions(store, NAME), *thinning.history(store, NAME)}
            assert present == set(range(1, 107))
            tasks = {e.task.task_id for e in experience_log.read_all(store)}
            assert tasks == {"u0", "u1", "u2", "u4", "u5", "u6"}
    assert 10 < moments < 199
    assert snapshots.versions(store, NAME) == [1, *range(7, 107)]
    assert store.list("checkpoint/") == []
    assert len(store.list("experience/quarantine/")) == 1
    assert update(store).learned == ("u0", "u1", "u2", "u4", "u5", "u6")


def test_checkpoints_of_tasks_that_go_on_no_more_are_collected(uri: str) -> None:
    store = open_store(uri)
    finish(store, "ended", "packed")
    for task_id in ("ended", "packed", "at-work", "abandoned"):
        store.put(keys.checkpoint(task_id, 10), b"x")
        store.put(f"{keys.task_claims(task_id)}000001", b"x")
    store.put("checkpoint/.DS_Store", b"x")
    now = datetime.now(UTC)
    assert collect_checkpoints(store, now) == 2
    assert store.list("checkpoint/at") == [keys.checkpoint("at-work", 10)]
    assert collect_checkpoints(store, now + timedelta(days=6)) == 0
    assert collect_checkpoints(store, now + timedelta(days=8)) == 2
    assert store.list("checkpoint/") == ["checkpoint/.DS_Store"]
    assert store.list("task/") == []


class WithoutRights:
    """A store whose credentials have no permission outside the experience log."""

    def __init__(self, store: ArtifactStore, error: type[StoreUnavailable]) -> None:
        self._store, self._error = store, error
        self.uri, self.list, self.stat = store.uri, store.list, store.stat
        self.put, self.put_if_absent = store.put, store.put_if_absent

    def get(self, key: str) -> bytes:
        self._check(key)
        return self._store.get(key)

    def delete(self, key: str) -> None:
        self._check(key)
        self._store.delete(key)

    def _check(self, key: str) -> None:
        if not key.startswith("experience/"):
            raise self._error("refused")


def test_without_the_right_to_a_part_the_rest_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    make_versions(store, 103)
    finish(store, "t1", "t2")
    store.put(keys.checkpoint("t1", 10), b"x")
    poor = WithoutRights(store, StoreUnavailable)
    with caplog.at_level(logging.WARNING):
        assert care(poor, 1) == Care(blocks=2, packed=2, loose=0)  # type: ignore[arg-type]
    assert [message.split(":")[1] for message in caplog.messages] == [
        " thin out predictor/",
        " collect checkpoint/",
    ]
    with pytest.raises(StoreFailed):
        care(WithoutRights(store, StoreFailed), 1)  # type: ignore[arg-type]


def many_classes(task_id: str, classes: int) -> Any:
    confusion = tuple(tuple(int(i == j) for j in range(classes)) for i in range(classes))
    one = experience(task_id, 0.5)
    task = replace(one.task, class_names=tuple(map(str, range(classes))))
    return replace(one, task=task, confusion=confusion)


def test_a_large_confusion_matrix_does_not_travel_with_the_log(uri: str) -> None:
    store = open_store(uri)
    large = many_classes("t1", 400)
    assert experience_log.append(store, large)
    small = many_classes("t2", MOST_CLASSES)
    assert experience_log.append(store, small)
    assert store.stat(keys.experience("t1")).size_bytes < 8_000
    found = experience_log.read(store, "t1")
    assert found == replace(large, confusion=())
    assert with_confusion(store, found) == large
    assert experience_log.read(store, "t2") == small
    assert store.stat(keys.confusion("t1")).size_bytes < 50_000
    assert experience_log.loose_ids(store) == ["t1", "t2"]


def test_one_that_an_earlier_release_wrote_is_moved_when_it_is_packed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    large = many_classes("t1", 300)
    store.put(keys.experience("t1"), to_json(large))
    assert care(store, 1).packed == 1
    (line,) = gzip.decompress(store.get(keys.experience_block(1))).splitlines()
    assert len(line) < 5_000
    assert with_confusion(store, experience_log.read(store, "t1")) == large


def test_a_damaged_matrix_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(str(tmp_path))
    experience_log.append(store, many_classes("t1", 300))
    key = keys.confusion("t1")
    store.put(key, store.get(key)[:100])
    with caplog.at_level(logging.WARNING):
        assert with_confusion(store, experience_log.read(store, "t1")).confusion == ()
    assert key in caplog.text


def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(str(tmp_path))
    make_versions(store, 103)
    finish(store, "t1")
    store.put(keys.experience("t2"), b"damaged")
    store.put(keys.checkpoint("t1", 10), b"x")
    (tmp_path / "experience" / ".partial-x").touch()
    import os

    os.utime(tmp_path / "experience" / ".partial-x", (0, 0))
    assert main(["store", "compact", "--store", str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:4] == [
        "Packed 0 experiences into 0 blocks; 1 left loose.",
        "Removed 2 older versions of predictors.",
        "Removed 1 checkpoints of ended or abandoned tasks.",
        "Removed 1 temporary files of killed processes.",
    ]
    assert out[4].startswith("Moved damaged experiences out of the log: experience/quarantine/t2-")


def test_a_version_that_is_not_kept_is_still_shown(tmp_path: Path) -> None:
    """Its number, what it learned and with which errors, for the predictor in use."""
    store = open_store(str(tmp_path))
    name = learning.DEFAULT.predictor_name
    first = learning.first_version(store)
    tiny = {"a": np.zeros(1)}
    for number in range(1, 104):
        info = replace(first.info, version=number, new=(f"t{number}",), learned=(f"t{number}",))
        snapshots.save(store, Snapshot(tiny, info))
    care(store)
    with pytest.raises(ObjectNotFound):
        snapshots.load(store, name, 2)
    row = predictor_history.predictor_version(store, 2)
    assert (row.version, row.new, row.num_learned) == (2, ("t2",), 1)
