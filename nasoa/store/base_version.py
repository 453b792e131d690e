"""Find what the next version of a predictor continues from, even if versions are corrupt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound
from nasoa.store import keys, snapshots, version_info
from nasoa.store.protocol import ArtifactStore
from nasoa.store.snapshots import State
from nasoa.store.version_info import SnapshotInfo

logger = logging.getLogger(__name__)


P = TypeVar("P")


@dataclass(frozen=True)
class BaseVersion(Generic[P]):
    """The predictor and the information of a version.

    `predictor` is None for one that has learned nothing yet.
    """

    predictor: P | None
    info: SnapshotInfo


def load_newest(store: ArtifactStore, name: str, restore: Callable[[State], P]) -> BaseVersion[P]:
    """Load what the next version would continue from; corrupt versions are logged and skipped.

    Args:
        store: store of the versions.
        name: name of the predictor.
        restore: creates the predictor from a state; raises `InvalidInput` if it does not fit.
    """
    return find_base(store, name, snapshots.newest_versions(store, name), restore)


def find_base(
    store: ArtifactStore,
    name: str,
    numbers: Sequence[int],
    restore: Callable[[State], P],
) -> BaseVersion[P]:
    """Return the highest of these versions that can be read or restored, or else of all versions.

    A corrupt update is skipped, because the next update learns again what it had learned. A corrupt
    rollback is restored from the version that it equals, and a corrupt rebuild from the log. These
    cannot be skipped, because they record which experiences must not be learned.
    """
    for version in _downwards(store, name, numbers):
        try:
            return _restored(store, name, version, restore)
        except ObjectNotFound:
            continue  # it was deleted by thinning since it was listed
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
        again = _made_again(store, name, version, restore)
        if again is not None:
            return again
    return BaseVersion(
        None, replace(version_info.nothing(name), left_out=_left_out_before(store, name))
    )


def _downwards(store: ArtifactStore, name: str, numbers: Sequence[int]) -> Iterator[int]:
    """Yield these versions in descending order, then all lower ones that were not given."""
    yield from reversed(numbers)
    lowest = min(numbers, default=1)
    if lowest > 1:
        yield from reversed([n for n in snapshots.versions(store, name) if n < lowest])


def _restored(
    store: ArtifactStore, name: str, version: int, restore: Callable[[State], P]
) -> BaseVersion[P]:
    """Return a version's predictor; `CorruptRecord` if it cannot be read or does not fit."""
    found = snapshots.load(store, name, version)
    try:
        return BaseVersion(restore(found.state), found.info)
    except InvalidInput as error:
        raise CorruptRecord(keys.predictor(name, version, "safetensors"), str(error)) from None


def _made_again(
    store: ArtifactStore, name: str, version: int, restore: Callable[[State], P]
) -> BaseVersion[P] | None:
    """Restore a corrupt rollback or rebuild, as described by the JSON copy beside it.

    None for an update, or if the copy is missing or corrupt.
    """
    key = keys.predictor(name, version, "json")
    try:
        info = version_info.from_document(store.get(key), key)
    except (ObjectNotFound, CorruptRecord):
        return None
    if info.kind == version_info.UPDATE:
        return None
    if info.kind == version_info.ROLLBACK:
        try:
            parent = _restored(store, name, info.parent, restore)
            return BaseVersion(parent.predictor, replace(info, learned=parent.info.learned))
        except (ObjectNotFound, CorruptRecord) as error:
            logger.warning("skipped: %s", error)
    # The next update learns from the log all that it had not left out.
    first = version_info.nothing(name)
    return BaseVersion(None, replace(first, version=version, left_out=info.left_out))


def _left_out_before(store: ArtifactStore, name: str) -> tuple[str, ...]:
    """Return the tasks that the newest predictor of another feature layout had left out.

    The first version must not learn them. Each of these predictors is logged.
    """
    infos = []
    for other in snapshots.other_names(store, name):
        logger.warning(
            "the saved predictor %r has another feature layout; %r is learned from the log",
            other,
            name,
        )
        infos += _newest_info(store, other)
    return max(infos, key=lambda info: info.created_at).left_out if infos else ()


def _newest_info(store: ArtifactStore, name: str) -> list[SnapshotInfo]:
    """Return the information of the highest readable version, or [] if there is none."""
    for version in _downwards(store, name, snapshots.newest_versions(store, name)):
        try:
            return [snapshots.load(store, name, version).info]
        except ObjectNotFound:
            continue
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return []
