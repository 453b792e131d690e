"""Rollback and rebuild: they equal their source, and what they left out stays left out."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.store import ArtifactStore, experience_log, keys, open_store, restoring, snapshots
from nasoa.store.updating import Update
from tests.store.finished import LEARNER, NAME, experience, finish, newest_version, update


@pytest.fixture
def three(uri: str) -> ArtifactStore:
    """A store with three versions of one task each."""
    store = open_store(uri)
    for task_id in ("t1", "t2", "t3"):
        finish(store, task_id)
        update(store)
    return store


@pytest.fixture
def local_three(tmp_path: Path) -> ArtifactStore:
    store = open_store(str(tmp_path / "three"))
    for task_id in ("t1", "t2", "t3"):
        finish(store, task_id)
        update(store)
    return store


def rollback(store: ArtifactStore, version: int, *, relearn: bool = False) -> tuple[str, ...]:
    return restoring.rollback(store, LEARNER, version, relearn=relearn).left_out


def rebuild(store: ArtifactStore, *without: str) -> int:
    return restoring.rebuild(store, LEARNER, without).version


def test_a_rollback_equals_the_version_and_leaves_out_what_came_after(three: ArtifactStore) -> None:
    assert rollback(three, 1) == ("t2", "t3")
    made, old = snapshots.load(three, NAME, 4), snapshots.load(three, NAME, 1)
    assert made.state == old.state
    assert (made.info.kind, made.info.parent, made.info.new) == ("rollback", 1, ())
    assert made.info.learned == old.info.learned == ("t1",)
    assert update(three) == Update(4, 4, ())
    finish(three, "t4")
    assert update(three) == Update(4, 5, ("t4",))
    newest = newest_version(three).info
    assert (newest.learned, newest.left_out) == (("t1", "t4"), ("t2", "t3"))


def test_what_is_left_out_is_learned_when_asked(local_three: ArtifactStore) -> None:
    before = snapshots.load(local_three, NAME, 3).state
    rollback(local_three, 1)
    assert update(local_three, relearn=True) == Update(4, 5, ("t2", "t3"))
    made = snapshots.load(local_three, NAME, 5)
    assert made.state == before
    assert made.info.left_out == ()
    assert rollback(local_three, 2, relearn=True) == ()
    assert update(local_three) == Update(6, 7, ("t3",))


def test_rollbacks_of_rollbacks(local_three: ArtifactStore) -> None:
    rollback(local_three, 1)
    # Forward to the undone version: only what version 3 had not learned is left out.
    assert rollback(local_three, 3) == ()
    assert update(local_three) == Update(5, 5, ())
    assert rollback(local_three, 4) == ("t2", "t3")


@pytest.mark.parametrize(("version", "said"), [(9, "1 to 3"), (0, "1 to 3"), (3, "the newest")])
def test_a_version_to_roll_back_to_is_an_older_one(
    local_three: ArtifactStore, version: int, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        rollback(local_three, version)
    local_three.put(keys.predictor(NAME, 2, "safetensors"), b"cut")
    with pytest.raises(InvalidInput, match=r"version 2 .*v000002"):
        rollback(local_three, 2)
    assert snapshots.versions(local_three, NAME) == [1, 2, 3]


def test_a_rebuild_is_the_log_in_order_of_time(three: ArtifactStore) -> None:
    assert rebuild(three) == 4
    made, before = snapshots.load(three, NAME, 4), snapshots.load(three, NAME, 3)
    assert made.state == before.state
    assert made.info.learned == before.info.learned
    assert (made.info.kind, made.info.parent) == ("rebuild", 0)
    assert rebuild(three, "t2", "t2") == 5
    made = snapshots.load(three, NAME, 5)
    assert (made.info.new, made.info.left_out) == (("t1", "t3"), ("t2",))
    assert update(three) == Update(5, 5, ())
    assert rebuild(three) == 6
    assert snapshots.load(three, NAME, 6).state == before.state


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_the_same_log_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever its history: finished and learned in any order, packed or not."""
    task_ids = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    without = data.draw(st.lists(st.sampled_from(task_ids), unique=True))
    documents = []
    for _ in range(2):
        store = open_store(str(tmp_path_factory.mktemp("log")))
        for task_id in data.draw(st.permutations(task_ids)):
            finish(store, task_id)
            if data.draw(st.booleans()):
                update(store)
        rebuild(store, *without)
        newest = max(snapshots.versions(store, NAME))
        raw = store.get(keys.predictor(NAME, newest, "safetensors"))
        documents.append(raw[8 + int.from_bytes(raw[:8], "little") :])
    assert documents[0] == documents[1]


def test_a_rebuild_needs_a_log_and_tasks_that_are_in_it(
    local_three: ArtifactStore, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="has none to learn from"):
        rebuild(open_store(str(tmp_path / "empty")))
    assert not (tmp_path / "empty").exists()
    with pytest.raises(InvalidInput, match="no task 't9': did you mean t3 or t2 or t1"):
        rebuild(local_three, "t1", "t9")
    assert snapshots.versions(local_three, NAME) == [1, 2, 3]


@pytest.mark.parametrize("parent_too", [False, True])
def test_a_corrupt_rollback_stays_a_rollback(
    local_three: ArtifactStore, caplog: pytest.LogCaptureFixture, parent_too: bool
) -> None:
    """Otherwise an update would continue from the version that was rolled back."""
    state = snapshots.load(local_three, NAME, 1).state
    rollback(local_three, 1)
    for version in (4, 1) if parent_too else (4,):
        local_three.put(keys.predictor(NAME, version, "safetensors"), b"")
    if not parent_too:
        assert newest_version(local_three).predictor == state
    finish(local_three, "t4")
    with caplog.at_level(logging.WARNING):
        assert update(local_three).learned == (("t1", "t4") if parent_too else ("t4",))
    assert "v000004" in caplog.text
    newest = newest_version(local_three).info
    assert (newest.learned, newest.left_out) == (("t1", "t4"), ("t2", "t3"))


def test_a_corrupt_rebuild_is_rebuilt(local_three: ArtifactStore) -> None:
    rebuild(local_three, "t2")
    state = snapshots.load(local_three, NAME, 4).state
    local_three.put(keys.predictor(NAME, 4, "safetensors"), b"")
    assert update(local_three) == Update(4, 5, ("t1", "t3"))
    made = snapshots.load(local_three, NAME, 5)
    assert made.state == state
    assert made.info.left_out == ("t2",)


def test_everything_at_once_loses_nothing(tmp_path: Path) -> None:
    """Updates, rollbacks and rebuilds in threads: states of versions match their information."""
    store = open_store(str(tmp_path))
    finish(store, "t00")
    update(store)
    finish(store, "t01")
    update(store)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        rng = random.Random(number)
        actions: list[Callable[[], object]] = [
            lambda: update(store),
            lambda: rollback(store, 1),
            lambda: rebuild(store, "t01"),
        ]
        try:
            for turn in range(4):
                finish(store, f"t{number}{turn + 2}")
                rng.choice(actions)()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    update(store)
    numbers = snapshots.versions(store, NAME)
    assert numbers == list(range(1, len(numbers) + 1))
    for number in numbers:
        made = snapshots.load(store, NAME, number)
        assert int(made.state["count"]) == len(made.info.learned)
        total = sum(experience_log.read(store, task_id).accuracy for task_id in made.info.learned)
        assert float(made.state["total"]) == pytest.approx(total)
        assert not set(made.info.learned) & set(made.info.left_out)
    newest = made.info
    assert {*newest.learned, *newest.left_out} == set(experience_log.task_ids(store))


def test_a_rebuild_that_comes_too_late_learns_what_came_meanwhile(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    finish(store, "t2")
    update(store)
    arriving = iter(("t3", "t1", None))

    def created_at() -> str:
        """Let another process finish a task and take the number just before this one saves."""
        task_id = next(arriving)
        if task_id is not None:
            experience_log.append(store, experience(task_id, 0.5))
            update(store)
        return "now"

    made = restoring.rebuild(store, replace(LEARNER, created_at=created_at))
    assert (made.version, made.new) == (4, ("t1", "t2", "t3"))
    assert made.record.num_errors == len(made.record.errors) == 3
    again = restoring.rebuild(store, LEARNER)
    one, other = (snapshots.load(store, NAME, n).state for n in (made.version, again.version))
    assert one == other
