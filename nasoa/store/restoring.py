"""Undo learning: roll back to an older version, or rebuild from the experience log."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from nasoa.errors import InvalidInput
from nasoa.records import Experience
from nasoa.store import experience_log, snapshots, version_info
from nasoa.store.base_version import find_base
from nasoa.store.next_version import Learner, make_next
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.version_info import LearningRecord, SnapshotInfo

P = TypeVar("P")


def rollback(
    store: ArtifactStore, learner: Learner[P], version: int, *, relearn: bool = False
) -> SnapshotInfo:
    """Make a version that equals an older one.

    What was learned since is left out: later updates do not learn it unless `relearn` is set.

    Args:
        store: store of the versions.
        learner: the predictor.
        version: number of the version to go back to.
        relearn: leave nothing out, so that the next update learns it again.

    Raises:
        InvalidInput: there is no such version, it cannot be read, or it is already the newest.
        StoreFailed: other processes took the next number too many times in a row.
    """

    def build(numbers: Sequence[int]) -> Snapshot:
        target = _usable(store, learner, version)
        newest = max(numbers)
        if version == newest:
            raise InvalidInput(
                f"expected a version before the newest, got {version}, which is the newest: there "
                "is nothing to roll back"
            )
        known = find_base(store, learner.name, numbers, learner.restore).info
        since = {*known.learned, *known.left_out} - {*target.info.learned}
        info = replace(
            target.info,
            version=newest + 1,
            parent=version,
            kind=version_info.ROLLBACK,
            new=(),
            left_out=target.info.left_out if relearn else tuple(sorted(since)),
            blocks=() if relearn else target.info.blocks,
            record=target.info.record.carried_over(),
            created_at=learner.created_at(),
            code_version=learner.code_version,
        )
        return Snapshot(target.state, info)

    return make_next(store, learner.name, build)


def _usable(store: ArtifactStore, learner: Learner[P], version: int) -> Snapshot:
    """Return a version, if the predictor of this release can continue from it."""
    target = snapshots.load_named(store, learner.name, version)
    try:
        learner.restore(target.state)
    except InvalidInput as error:
        raise InvalidInput(f"version {version} cannot be used, name another: {error}") from None
    return target


def rebuild(store: ArtifactStore, learner: Learner[P], without: Iterable[str] = ()) -> SnapshotInfo:
    """Learn the complete experience log again, in order of time, as the next version.

    The same log gives an equal state, whatever versions there were before.

    Args:
        store: store of the experiences.
        learner: the predictor.
        without: tasks to leave out; later updates do not learn them either.

    Raises:
        InvalidInput: the log is empty, or has no experience of one of the tasks to leave out.
        StoreFailed: other processes took the next number too many times in a row.
    """
    left_out = tuple(sorted(set(without)))
    done: tuple[str, ...] = ()
    state: State | None = None
    record = LearningRecord()

    def build(numbers: Sequence[int]) -> Snapshot:
        nonlocal done, state, record
        experiences = _whole_log(store, left_out)
        ids = tuple(experience.task.task_id for experience in experiences)
        if ids[: len(done)] != done:
            done, state, record = (), None, LearningRecord()
        # A lost attempt is continued if all new experiences come after those that it learned.
        predictor = None if state is None else learner.restore(state)
        state, record = learner.learn(predictor, record, experiences[len(done) :])
        done = ids
        info = SnapshotInfo(
            name=learner.name,
            version=max(numbers, default=0) + 1,
            parent=0,
            kind=version_info.REBUILD,
            learned=tuple(sorted(ids)),
            new=ids,
            left_out=left_out,
            record=record,
            created_at=learner.created_at(),
            code_version=learner.code_version,
        )
        return Snapshot(state, info)

    return make_next(store, learner.name, build)


def _whole_log(store: ArtifactStore, left_out: Sequence[str]) -> list[Experience]:
    """Return all experiences except those of the given tasks, by time."""
    experiences = experience_log.read_all(store)
    if not experiences:
        raise InvalidInput(
            f"expected a store with finished fine-tunes, but {store.uri} has none to learn from; "
            "name another with --store"
        )
    known = {experience.task.task_id for experience in experiences}
    for task_id in left_out:
        if task_id not in known:
            near = difflib.get_close_matches(task_id, sorted(known), n=3, cutoff=0.5)
            advice = f"did you mean {' or '.join(near)}?" if near else "see nasoa predictor show"
            raise InvalidInput(f"the experience log has no task {task_id!r}: {advice}")
    return [e for e in experiences if e.task.task_id not in left_out]
