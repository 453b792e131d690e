"""The predictor of a store: the record of its versions, and how to undo them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Experience
from nasoa.steps import learning, predictor_history
from nasoa.store import ArtifactStore, experience_log, keys, open_store, snapshots
from nasoa.store.snapshots import State
from nasoa.store.version_info import LearningRecord
from tests.steps_alone import current_predictor
from tests.store.finished import experience
from tests.store.states import assert_close, assert_equal


def finish(store: ArtifactStore, *task_ids: str, accuracy: float = 0.8) -> None:
    for task_id in task_ids:
        experience_log.append(store, experience(task_id, accuracy))


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def learned(uri: str) -> str:
    """A store with version 1, and three more of one, two and one tasks."""
    store = open_store(uri)
    for task_ids in (("t1",), ("t2", "t3"), ("t4",)):
        finish(store, *task_ids)
        learning.update(open_store(uri))
    return uri


def state(uri: str, version: int) -> State:
    return snapshots.load(open_store(uri), PREDICTOR_NAME, version).state


def test_versions_tell_what_they_learned_and_how_well(learned: str) -> None:
    rows = predictor_history.predictor_versions(open_store(learned))
    assert [row.new for row in rows] == [(), ("t1",), ("t2", "t3"), ("t4",)]
    assert [row.num_learned for row in rows] == [row.num_errors for row in rows] == [0, 1, 3, 4]
    errors = predicted_first([experience(f"t{i}", 0.8) for i in range(1, 5)])
    assert [e for row in rows for e in row.errors] == pytest.approx(errors, abs=1e-6)
    newest = rows[-1]
    assert newest.mean_abs_error == pytest.approx(abs(errors[3]), abs=1e-6)
    assert newest.mean_abs_error_so_far == pytest.approx(np.mean(np.abs(errors)), abs=1e-6)
    assert newest.mean_abs_error_recent == pytest.approx(newest.mean_abs_error_so_far, abs=2e-6)
    assert sum(newest.weights.values()) == pytest.approx(1, abs=1e-4)
    assert predictor_history.predictor_versions(open_store(learned), last=2) == rows[2:]
    assert predictor_history.predictor_version(open_store(learned), 3) == rows[2]


def predicted_first(experiences: list[Experience]) -> list[float]:
    predictor = learning.packaged_predictor()
    errors = []
    for one in experiences:
        errors.append(predictor.predict(one) - one.accuracy)
        predictor.learn([one])
    return errors


def test_the_current_predictor_is_that_of_the_newest_version(uri: str, learned: str) -> None:
    predictor, version = current_predictor(open_store(uri))
    assert (predictor.num_experiences, version) == (4, 4)
    assert_equal(predictor.state(), state(uri, 4))
    learning.rollback_predictor(open_store(uri), 2)
    predictor, version = current_predictor(open_store(uri))
    assert (predictor.num_experiences, version) == (1, 5)
    fresh, version = current_predictor(open_store(uri + "-empty"))
    assert version == 1
    assert_equal(fresh.state(), learning.packaged_predictor().state())


def test_rolled_back_and_learned_again_is_as_before(learned: str) -> None:
    before = state(learned, 4)
    assert learning.rollback_predictor(open_store(learned), 2).left_out == ("t2", "t3", "t4")
    assert_equal(state(learned, 5), state(learned, 2))
    assert learning.update(open_store(learned)).learned == ()
    assert learning.update(open_store(learned), relearn=True).learned == ("t2", "t3", "t4")
    assert_close(state(learned, 6), before)
    assert predictor_history.predictor_version(open_store(learned), 6).num_errors == 4


def test_rebuilds_are_equal_and_leave_out_what_is_named(learned: str) -> None:
    learning.rebuild_predictor(open_store(learned))
    assert_close(state(learned, 5), state(learned, 4))
    learning.rebuild_predictor(open_store(learned), ["t3"])
    row = predictor_history.predictor_version(open_store(learned), 6)
    assert (row.new, row.left_out, row.num_learned) == (("t1", "t2", "t4"), ("t3",), 3)
    assert learning.update(open_store(learned)).learned == ()


def test_all_versions_corrupt_is_learned_from_the_log(
    learned: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = state(learned, 4)
    store = open_store(learned)
    for version in (1, 2, 3, 4):
        store.put(keys.predictor(PREDICTOR_NAME, version, "safetensors"), b"\0")
    with caplog.at_level(logging.WARNING):
        assert learning.update(open_store(learned)).version_after == 5
        assert [
            row.version for row in predictor_history.predictor_versions(open_store(learned))
        ] == [5]
    assert "v000002" in caplog.text
    assert_close(state(learned, 5), before)


def test_a_state_of_another_layout_is_refused(learned: str) -> None:
    fitting = state(learned, 4)
    learning.restore(fitting)
    name = max(fitting, key=lambda name: fitting[name].size)
    with pytest.raises(InvalidInput, match="does not fit the predictor of this release"):
        learning.restore({k: v for k, v in fitting.items() if k != name})
    with pytest.raises(InvalidInput, match="does not fit"):
        learning.restore({**fitting, "other": np.zeros(2)})
    store = open_store(learned)
    made = snapshots.load(store, PREDICTOR_NAME, 4)
    missing = {k: v for k, v in fitting.items() if k != name}
    info = replace(made.info, version=5, parent=4)
    assert snapshots.save(store, snapshots.Snapshot(missing, info))
    assert current_predictor(store)[1] == 4


def test_the_alarm_rings_in_the_version_where_tasks_became_different(uri: str) -> None:
    store = open_store(uri)
    finish(store, *(f"a{i:03d}" for i in range(120)), accuracy=0.8)
    learning.update(open_store(uri))
    finish(store, *(f"b{i:03d}" for i in range(2)), accuracy=0.79)
    learning.update(open_store(uri))
    # These tasks look like those before, but half of them fail.
    for i in range(30):
        finish(store, f"c{i:03d}", accuracy=0.8 * (i % 2))
    learning.update(open_store(uri))
    _starter, first, second, third = predictor_history.predictor_versions(open_store(uri))
    assert first.rang_at == second.rang_at == ()
    assert third.rang_at
    assert 122 < third.rang_at[0] <= 152
    assert learning.rollback_predictor(open_store(uri), 3).record.rang_at == ()


def test_versions_of_an_early_release_are_shown(learned: str) -> None:
    """Early releases recorded neither errors nor weights."""
    store = open_store(learned)
    made = snapshots.load(store, PREDICTOR_NAME, 4)
    early = replace(made.info, version=5, parent=4, record=LearningRecord())
    assert snapshots.save(store, snapshots.Snapshot(made.state, early))
    row = predictor_history.predictor_version(open_store(learned), 5)
    assert (row.errors, row.mean_abs_error, row.mean_abs_error_so_far) == ((), None, None)
    assert row.weights == pytest.approx(
        predictor_history.predictor_version(store, 4).weights, abs=1e-6
    )
    finish(store, "t5")
    learning.update(open_store(learned))
    assert predictor_history.predictor_version(open_store(learned), 6).num_errors == 1


def test_a_look_at_a_new_store_writes_nothing(uri: str) -> None:
    (row,) = predictor_history.predictor_versions(open_store(uri))
    assert (row.version, row.kind, row.num_learned) == (1, "starter", 0)
    assert current_predictor(open_store(uri))[1] == 1
    assert not Path(uri).exists()


def test_back_to_the_first_version_forgets_everything(learned: str) -> None:
    assert learning.rollback_predictor(open_store(learned), 1).left_out == ("t1", "t2", "t3", "t4")
    assert_equal(state(learned, 5), learning.packaged_predictor().state())
    assert learning.update(open_store(learned)).learned == ()


def test_what_another_layout_had_left_out_stays_left_out(uri: str) -> None:
    store = open_store(uri)
    finish(store, "t1", "t2")
    info = replace(learning.first_version(store).info, name="of-old", left_out=("t1",))
    assert snapshots.save(store, snapshots.Snapshot({"kept": np.zeros(1)}, info))
    assert learning.update(open_store(uri)).learned == ("t2",)
    assert predictor_history.predictor_version(open_store(uri), 1).left_out == ("t1",)
