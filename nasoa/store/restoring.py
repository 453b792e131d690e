"""Older versions again: rollback to one of them, or rebuild from the experience log."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nasoa.errors import InvalidInput
from nasoa.records import Experience
from nasoa.store import experience_log, snapshots, version_info
from nasoa.store.base import find_base
from nasoa.store.next_version import Learner, make_next
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import LearningRecord, SnapshotInfo


def rollback(
    store: ArtifactStore, learner: Learner, version: int, *, relearn: bool = False
) -> SnapshotInfo:
    """Make a version that equals an older one.

    What was learned since is left out: later updates do not learn it, unless they are told to.

    Args:
        store: where versions are.
        learner: the predictor.
        version: to go back to.
        relearn: nothing is left out, and the next update learns it again.

    Raises:
        InvalidInput: there is no such version, it cannot be read, or it is the newest already.
        StoreUnavailable: others took the next number too many times in a row.
    """

    def build(numbers: Sequence[int]) -> Snapshot:
        target = snapshots.load_named(store, learner.name, version, learner.accept)
        newest = max(numbers)
        if version == newest:
            raise InvalidInput(
                f"expected a version before the newest, got {version}, which is the newest: there "
                "is nothing to roll back"
            )
        known = find_base(store, learner.name, numbers, learner.accept).info
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


def rebuild(store: ArtifactStore, learner: Learner, without: Iterable[str] = ()) -> SnapshotInfo:
    """Learn the whole experience log anew, in order of time, as the next version.

    The same log gives an equal state, whatever versions there were before.

    Args:
        store: where experiences are.
        learner: the predictor.
        without: tasks to leave out; later updates do not learn them either.

    Raises:
        InvalidInput: the log is empty, or has no experience of a task to leave out.
        StoreUnavailable: others took the next number too many times in a row.
    """
    left_out = tuple(sorted(set(without)))
    done: tuple[str, ...] = ()
    state, record = learner.learn(None, LearningRecord(), [])

    def build(numbers: Sequence[int]) -> Snapshot:
        nonlocal done, state, record
        experiences = _whole_log(store, left_out)
        ids = tuple(experience.task.task_id for experience in experiences)
        if ids[: len(done)] != done:
            done = ()
            state, record = learner.learn(None, LearningRecord(), [])
        # An attempt that came too late is gone on from, where what is new is the latest.
        state, record = learner.learn(state, record, experiences[len(done) :])
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
    """All experiences but those of these tasks, by time."""
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
