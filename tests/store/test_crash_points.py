"""A process or a disk that fails at any write or delete: nothing is lost or torn.

Each operation is interrupted at its first change of the store, then at its second, and so on until
it completes. After each interruption, the invariants are checked, and the operation is repeated.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from nasoa.config import EvaluateConfig
from nasoa.errors import NasoaError, StoreFailed
from nasoa.offline.search import SearchConfig, StopCriterion
from nasoa.offline.space import BlockSpace
from nasoa.partial_file import PREFIX
from nasoa.steps import nsga_select, searches
from nasoa.store import ArtifactStore, experience_log, keys, open_store, snapshots
from nasoa.store.local import LocalStore
from nasoa.store.maintenance import care
from nasoa.store.zoo_versions import add_version, newest_versions, read_weights
from tests.store.finished import NAME, accuracy_of, experience, finish, newest_version, update


class Killed(BaseException):
    """The process ended here."""


# Whether the interrupted change takes effect, and how it ends.
ENDINGS: dict[str, tuple[bool, type[BaseException]]] = {
    "killed before": (False, Killed),
    "killed after": (True, Killed),
    "failed before": (False, StoreFailed),
    "failed after": (True, StoreFailed),
}


class Ending:
    """A store whose n-th change, from 0, interrupts the operation."""

    def __init__(self, store: ArtifactStore, number: int, ending: str) -> None:
        self._store, self._left = store, number
        self._has_effect, self._error = ENDINGS[ending]
        self.hit = False
        self.uri, self.get, self.list, self.stat = store.uri, store.get, store.list, store.stat
        self.sizes, self.etags, self.download = store.sizes, store.etags, store.download

    def _change(self, change: Callable[[], Any]) -> Any:
        if self._left == 0 and not self.hit:
            self.hit = True
            if self._has_effect:
                change()
            raise self._error("here")
        self._left -= 1
        return change()

    def put(self, key: str, data: bytes) -> None:
        self._change(lambda: self._store.put(key, data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return bool(self._change(lambda: self._store.put_if_absent(key, data)))

    def delete(self, key: str) -> None:
        self._change(lambda: self._store.delete(key))


@contextmanager
def disk_fails(number: int, error: int) -> Iterator[list[int]]:
    """Make the n-th sync, rename, link or delete fail; on a full disk, all later ones too.

    Yields a list that holds the number of calls so far.
    """
    seen = [0]
    true = {name: getattr(os, name) for name in ("fsync", "replace", "link", "unlink", "open")}

    def spoiled(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            # Only new files fail to open, and on a full disk files can be deleted.
            is_change = name != "open" or PREFIX in str(arguments[0])
            may_fail = is_change and (error != errno.ENOSPC or name != "unlink")
            is_partial = name == "unlink" and PREFIX in str(arguments[0])
            if may_fail and not is_partial:
                seen[0] += 1
                if seen[0] == number + 1 or (error == errno.ENOSPC and seen[0] > number):
                    raise OSError(error, os.strerror(error))
            return true[name](*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in true:
            patch.setattr(os, name, spoiled(name))
        yield seen


@dataclass(frozen=True)
class Operation:
    """An operation, and what must hold before and after it."""

    prepare: Callable[[ArtifactStore], None]
    work: Callable[[ArtifactStore], object]
    holds: Callable[[ArtifactStore], None]
    is_done: Callable[[ArtifactStore], bool]


TASKS = [f"t{number}" for number in range(7)]


def prepare_log(store: ArtifactStore) -> None:
    finish(store, *TASKS[:3])
    update(store)
    finish(store, *TASKS[3:])


def log_holds(store: ArtifactStore) -> None:
    """Check that each task is in the log once, is not learned twice, and no version is partial."""
    found = [e.task.task_id for e in experience_log.read_all(store)]
    assert found == TASKS
    newest = newest_version(store)
    assert newest.predictor is not None
    learned = newest.info.learned
    assert len(set(learned)) == len(learned) == int(newest.predictor["count"])
    total = sum(accuracy_of(task_id) for task_id in learned)
    assert float(newest.predictor["total"]) == pytest.approx(total)
    versions = [snapshots.load(store, NAME, n).info for n in snapshots.versions(store, NAME)]
    assert sorted(task for info in versions for task in info.new) == sorted(learned)


def all_is_learned(store: ArtifactStore) -> bool:
    return newest_version(store).info.learned == tuple(TASKS)


def is_packed(store: ArtifactStore) -> bool:
    return len(experience_log.loose_ids(store)) == 1


MODELS = {name: f"weights of {name}".encode() for name in ("a", "b", "c")}


def add_model(store: ArtifactStore, name: str) -> None:
    entry = replace(experience("t", 0.5).model, name=name)
    add_version(store, "added", {name: (entry, MODELS[name])})


def prepare_zoo(store: ArtifactStore) -> None:
    add_model(store, "a")
    add_model(store, "b")


def zoo_holds(store: ArtifactStore) -> None:
    (version,) = newest_versions(store)
    names = {entry.name for entry in version.entries}
    assert {"a", "b"} <= names <= set(MODELS)
    for entry in version.entries:
        assert read_weights(store, version, entry) == MODELS[entry.name]


def has_third(store: ArtifactStore) -> bool:
    return len(newest_versions(store)[0].entries) == 3


SEARCH = "s1"


def prepare_search(store: ArtifactStore) -> None:
    config = SearchConfig(
        block=BlockSpace.small(), data="sklearn:digits", evaluate=EvaluateConfig.small()
    )
    searches.open_search(store.uri, SEARCH, config)


def select(store: ArtifactStore) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nsga_select, "open_store", lambda _uri: store)
        nsga_select.select_generation(store.uri, SEARCH, StopCriterion())


def search_holds(store: ArtifactStore) -> None:
    found = searches.read_search(store.uri, SEARCH).generations
    assert len(found) <= 1
    assert all(len(generation) == len(set(generation)) > 0 for generation in found)


def has_generation(store: ArtifactStore) -> bool:
    return len(searches.read_search(store.uri, SEARCH).generations) == 1


OPERATIONS = {
    "update": Operation(prepare_log, update, log_holds, all_is_learned),
    "compact": Operation(prepare_log, lambda s: care(s, 3), log_holds, is_packed),
    "add_version": Operation(prepare_zoo, lambda s: add_model(s, "c"), zoo_holds, has_third),
    "generation": Operation(prepare_search, select, search_holds, has_generation),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_may_end_at_any_change(tmp_path: Path, name: str, ending: str) -> None:
    operation = OPERATIONS[name]
    number = -1
    hit = True
    while hit:
        number += 1
        store = open_store(str(tmp_path / str(number)))
        operation.prepare(store)
        operation.holds(store)
        ending_store = Ending(store, number, ending)
        try:
            operation.work(ending_store)  # type: ignore[arg-type]
        except (Killed, StoreFailed):
            assert ending_store.hit
        hit = ending_store.hit
        operation.holds(store)
        operation.work(store)
        operation.holds(store)
        assert operation.is_done(store)
    assert number >= 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_may_fail_at_any_change(tmp_path: Path, name: str, error: int) -> None:
    operation = OPERATIONS[name]
    number, fails = -1, True
    while fails:
        number += 1
        store = LocalStore(tmp_path / str(number))
        operation.prepare(store)
        with disk_fails(number, error) as seen:
            try:
                operation.work(store)
            except NasoaError as problem:
                assert os.strerror(error) in str(problem)
                assert "\n" not in str(problem)
        fails = seen[0] > number
        assert list(Path(store.uri).rglob(f"{PREFIX}*")) == []
        operation.holds(store)
        operation.work(store)
        operation.holds(store)
        assert operation.is_done(store)
    assert number >= 3


def test_an_experience_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    """Whatever happens to the next one."""
    for ending in ENDINGS:
        store = open_store(str(tmp_path / ending.replace(" ", "-")))
        finish(store, "t0")
        with pytest.raises((Killed, StoreFailed)):
            finish(Ending(store, 0, ending), "t1")  # type: ignore[arg-type]
        assert "t0" in experience_log.loose_ids(store)
        finish(store, "t1")
        assert [e.task.task_id for e in experience_log.read_all(store)] == ["t0", "t1"]
        assert keys.experience("t1") in store.list()
