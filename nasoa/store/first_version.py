"""The first version of a predictor: its starter, before it has learned anything in this store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nasoa.store import experience_blocks, experience_log, snapshots
from nasoa.store.base_version import find_base
from nasoa.store.next_version import Learner, P, make_next
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import Snapshot
from nasoa.store.version_info import SnapshotInfo


def make_first_version(
    store: ArtifactStore, learner: Learner[P], first: Callable[[], Snapshot]
) -> None:
    """Make the first version if there is none and there is an experience to learn.

    Args:
        store: store of the versions.
        learner: the predictor.
        first: returns the first version; called only if it is needed.
    """
    if snapshots.newest_versions(store, learner.name):
        return
    if not experience_log.loose_ids(store) and not experience_blocks.numbers(store):
        return
    snapshot = first()
    # Tasks that a predictor of another layout had left out stay left out.
    left_out = find_base(store, learner.name, [], learner.restore).info.left_out
    # If several processes do this at once, one succeeds; all would save the same.
    snapshots.save(store, Snapshot(snapshot.state, replace(snapshot.info, left_out=left_out)))


def make_first_version_again(
    store: ArtifactStore, learner: Learner[P], first: Snapshot
) -> SnapshotInfo:
    """Make the first version again, as the newest; tasks that are left out stay left out.

    Raises:
        StoreFailed: other processes took the next number too many times in a row.
    """

    def build(numbers: Sequence[int]) -> Snapshot:
        left_out = find_base(store, learner.name, numbers, learner.restore).info.left_out
        number = max(numbers, default=0) + 1
        return Snapshot(first.state, replace(first.info, version=number, left_out=left_out))

    return make_next(store, learner.name, build)
