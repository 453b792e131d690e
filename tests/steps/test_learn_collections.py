"""A store whose predictor starts from its own collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nasoa.errors import CorruptRecord
from nasoa.online.collecting.held_out import learn_and_hold_out, sort_by_run
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import CollectedRecord
from nasoa.steps import learning, predictor_history
from nasoa.steps.learn_collections import learn_collections
from nasoa.store import ArtifactStore, keys, open_store, snapshots, starters
from nasoa.store.snapshots import State
from tests.steps_alone import current_predictor
from tests.store.collections import collect, own_records, some_packaged
from tests.store.finished import finish
from tests.store.states import assert_close, assert_equal

PACKAGED, OWN = 16, 8


@pytest.fixture
def uri(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a collection, and a small packaged table."""
    monkeypatch.setattr("nasoa.steps.learn_collections.collected_runs", some_packaged)
    uri = str(tmp_path_factory.mktemp("store"))
    collect(open_store(uri), "known", own_records())
    return uri


@pytest.fixture
def store(uri: str) -> ArtifactStore:
    return open_store(uri)


def state(store: ArtifactStore, version: int) -> State:
    return snapshots.load(store, PREDICTOR_NAME, version).state


def renamed(records: list[CollectedRecord]) -> list[CollectedRecord]:
    return [replace(record, run_id=f"own-{record.run_id}") for record in records]


def test_a_store_without_versions_starts_from_it(uri: str, store: ArtifactStore) -> None:
    counts: list[int] = []
    learned = learn_collections(open_store(uri), ["known", "known"], counts.append)
    assert counts == [PACKAGED + OWN]
    assert (learned.records, learned.packaged) == (OWN, PACKAGED)
    assert (learned.version, learned.experiences) == (1, 0)
    assert snapshots.versions(store, PREDICTOR_NAME) == []
    predictor, version = current_predictor(store)
    assert (predictor.num_collected, predictor.num_experiences, version) == (24, 0, 1)
    expected, _ = learn_and_hold_out(sort_by_run([*some_packaged(), *renamed(own_records())]))
    assert_close(predictor.state(), expected.state())
    (row,) = predictor_history.predictor_versions(open_store(uri))
    assert (row.kind, row.made_by) == ("collections", "learned collections")
    finish(store, "t1")
    assert learning.update(open_store(uri)).version_after == 2
    assert_close(state(store, 1), expected.state())
    predictor, _ = current_predictor(store)
    assert (predictor.num_collected, predictor.num_experiences) == (24, 1)


def test_a_store_with_experiences_is_rebuilt_on_it(uri: str, store: ArtifactStore) -> None:
    finish(store, "t1", "t2")
    learning.update(open_store(uri))
    learning.rebuild_predictor(open_store(uri), ["t1"])
    learned = learn_collections(open_store(uri), ["known"])
    assert (learned.version, learned.experiences) == (4, 1)
    row = predictor_history.predictor_version(open_store(uri), 4)
    assert (row.kind, row.new, row.left_out) == ("rebuild", ("t2",), ("t1",))
    finish(store, "t3")
    assert learning.update(open_store(uri)).learned == ("t3",)
    predictor, version = current_predictor(store)
    assert (predictor.num_collected, predictor.num_experiences, version) == (24, 2, 5)
    assert [row.version for row in predictor_history.predictor_versions(open_store(uri))] == [
        1,
        2,
        3,
        4,
        5,
    ]
    for _ in range(2):
        learning.rebuild_predictor(open_store(uri))
    assert_equal(state(store, 6), state(store, 7))
    learning.rollback_predictor(open_store(uri), 2)
    predictor, _ = current_predictor(store)
    assert predictor.num_collected == learning.packaged_predictor().num_collected


def test_versions_without_a_log_begin_again(uri: str, store: ArtifactStore) -> None:
    first = learning.first_version(store)
    assert snapshots.save(store, replace(first, info=replace(first.info, left_out=("t1",))))
    learned = learn_collections(open_store(uri), ["known"])
    assert (learned.version, learned.experiences) == (2, 0)
    predictor, version = current_predictor(store)
    assert (predictor.num_collected, version) == (24, 2)
    assert predictor_history.predictor_version(open_store(uri), 2).left_out == ("t1",)
    finish(store, "t1", "t2")
    assert learning.update(open_store(uri)).learned == ("t2",)


def test_the_newest_starter_counts(uri: str, store: ArtifactStore) -> None:
    collect(store, "other", own_records("other", 0.1)[:4])
    first = learn_collections(open_store(uri), ["known"])
    second = learn_collections(open_store(uri), ["other"])
    assert (first.key, second.key) == tuple(keys.starter(PREDICTOR_NAME, n) for n in (1, 2))
    assert learning.starting_predictor(store).num_collected == PACKAGED + 4
    assert learn_collections(open_store(uri), ["known", "other"]).records == OWN + 4
    store.delete(keys.starter(PREDICTOR_NAME, 3))
    assert learning.starting_predictor(store).num_collected == PACKAGED + 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda store: store.put(keys.starter(PREDICTOR_NAME, 2), b"cut"),
        lambda store: starters.save(store, PREDICTOR_NAME, {"other": np.zeros(2)}),
    ],
)
def test_a_starter_that_cannot_be_used_is_told(
    uri: str, store: ArtifactStore, spoil: Callable[[ArtifactStore], object]
) -> None:
    learn_collections(open_store(uri), ["known"])
    finish(store, "t1")
    spoil(store)
    with pytest.raises(CorruptRecord, match=r"starter/000002.*make another with nasoa predictor"):
        learning.update(open_store(uri))
    assert learn_collections(open_store(uri), ["known"]).key == keys.starter(PREDICTOR_NAME, 3)
    assert current_predictor(store)[0].num_collected == 24
    # Versions do not depend on the starter.
    spoil(store)
    store.put(keys.starter(PREDICTOR_NAME, 4), b"cut")
    finish(store, "t2")
    assert learning.update(open_store(uri)).learned == ("t2",)
