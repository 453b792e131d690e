"""What the next version of a predictor goes on from, whatever is broken."""

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
class Base(Generic[P]):
    """What to go on from: a version's predictor, or None for one that has learned nothing."""

    predictor: P | None
    info: SnapshotInfo


def load_newest(store: ArtifactStore, name: str, restore: Callable[[State], P]) -> Base[P]:
    """What the next version would go on from; a corrupt version is named and skipped.

    Args:
        store: where versions are.
        name: of the predictor.
        restore: the predictor of a state; raises `InvalidInput` for that of another.
    """
    return find_base(store, name, snapshots.newest_versions(store, name), restore)


def find_base(
    store: ArtifactStore,
    name: str,
    numbers: Sequence[int],
    restore: Callable[[State], P],
) -> Base[P]:
    """The highest of these versions that can be read or made again, or else of all.

    A corrupt update is skipped: the next one learns again what it had learned. A corrupt rollback
    is made again from the version that it equals, and a corrupt rebuild from the log: neither may
    be forgotten, as they say what must not be learned.
    """
    for version in _downwards(store, name, numbers):
        try:
            return _restored(store, name, version, restore)
        except ObjectNotFound:
            continue  # it was thinned out since it was listed
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
        again = _made_again(store, name, version, restore)
        if again is not None:
            return again
    return Base(None, replace(version_info.nothing(name), left_out=_left_out_before(store, name)))


def _downwards(store: ArtifactStore, name: str, numbers: Sequence[int]) -> Iterator[int]:
    """These versions from the highest on, then those below that were not listed."""
    yield from reversed(numbers)
    lowest = min(numbers, default=1)
    if lowest > 1:
        yield from reversed([n for n in snapshots.versions(store, name) if n < lowest])


def _restored(
    store: ArtifactStore, name: str, version: int, restore: Callable[[State], P]
) -> Base[P]:
    """A version's predictor; `CorruptRecord` where it cannot be read or is another's."""
    found = snapshots.load(store, name, version)
    try:
        return Base(restore(found.state), found.info)
    except InvalidInput as error:
        raise CorruptRecord(keys.predictor(name, version, "safetensors"), str(error)) from None


def _made_again(
    store: ArtifactStore, name: str, version: int, restore: Callable[[State], P]
) -> Base[P] | None:
    """A corrupt rollback or rebuild as its copy says; None for an update, or without a copy."""
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
            return Base(parent.predictor, replace(info, learned=parent.info.learned))
        except (ObjectNotFound, CorruptRecord) as error:
            logger.warning("skipped: %s", error)
    # What it had not left out is learned from the log.
    first = version_info.nothing(name)
    return Base(None, replace(first, version=version, left_out=info.left_out))


def _left_out_before(store: ArtifactStore, name: str) -> tuple[str, ...]:
    """What the first version must not learn: what the newest predictor of another layout left out.

    Each of these predictors is named.
    """
    infos = []
    for other in snapshots.other_names(store, name):
        logger.warning(
            "the saved predictor %r is of another feature layout; %r is learned from the log",
            other,
            name,
        )
        infos += _newest_info(store, other)
    return max(infos, key=lambda info: info.created_at).left_out if infos else ()


def _newest_info(store: ArtifactStore, name: str) -> list[SnapshotInfo]:
    """The information of the highest version that can be read, if there is one."""
    for version in _downwards(store, name, snapshots.newest_versions(store, name)):
        try:
            return [snapshots.load(store, name, version).info]
        except ObjectNotFound:
            continue
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return []
