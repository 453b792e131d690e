"""Thinning of predictor versions: keep enough to go back to, but few in the long run.

A version takes some megabytes, and every task makes one. The newest hundred are kept; of those
before them, every tenth back to the thousandth, every hundredth back to the ten-thousandth, and so
on. The first version and those that a rollback among the newest went back to are kept too. The
tensors of all others are deleted. Their information (parent version, tasks learned, errors) is
packed into `history/000001.jsonl.gz` and so on.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import from_json
from nasoa.seal import seal_json
from nasoa.store import experience_log, keys, listing, snapshots, version_info
from nasoa.store.gzipped import unpacked_lines
from nasoa.store.protocol import ArtifactStore
from nasoa.store.version_info import SnapshotInfo
from nasoa.work_progress import reported

logger = logging.getLogger(__name__)

RECENT = 100
IN_BLOCK = 1000


@dataclass(frozen=True)
class PastVersion:
    """The information of a deleted version, with the number of learned tasks, not their names."""

    info: SnapshotInfo
    num_learned: int


class _NumLearned(msgspec.Struct):
    num_learned: int


def kept_versions(numbers: Sequence[int]) -> set[int]:
    """Return those of ascending version numbers that are kept.

    A number that is not kept is not kept later either, when there are more versions.
    """
    newest = max(numbers, default=0)
    kept = {number for number in numbers if number % _step(newest - number) == 0}
    return kept | {*numbers[:1]}


def _step(age: int) -> int:
    """Return the interval at which versions of an age are kept."""
    step = 1
    while age >= RECENT * step:
        step *= 10
    return step


def thin(store: ArtifactStore, name: str) -> int:
    """Delete the versions of a predictor that are not kept, and return how many.

    If it is interrupted, the next call continues; a version may then be in the history twice.
    """
    numbers = snapshots.versions(store, name)
    kept = kept_versions(numbers)
    if len(kept) == len(numbers):
        return 0
    for info in _infos(store, name, numbers[-RECENT:]):
        if info.info.kind == version_info.ROLLBACK:
            kept.add(info.info.parent)
    old = [number for number in numbers if number not in kept]
    for start in range(0, len(old), IN_BLOCK):
        some = old[start : start + IN_BLOCK]
        _remember(store, name, _infos(store, name, some))
        for number in reported(some, "old versions"):
            # The tensors last: while they exist, the version is listed, and the next call sees it.
            store.delete(keys.predictor(name, number, "json"))
            store.delete(keys.predictor(name, number, "safetensors"))
    return len(old)


def history(store: ArtifactStore, name: str) -> dict[int, PastVersion]:
    """Return the deleted versions of a predictor, by number; corrupt blocks are logged."""
    found: dict[int, PastVersion] = {}
    for number in listing.numbers(store, keys.histories(name), ".jsonl.gz"):
        key = keys.history(name, number)
        try:
            versions = [_decoded(line, key) for line in unpacked_lines(store.get(key), key)]
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
            continue
        found |= {version.info.version: version for version in versions}
    return found


def information(store: ArtifactStore, name: str) -> list[PastVersion]:
    """Return the information of all versions of a predictor, deleted ones too, oldest first.

    It does not read tensors. Corrupt versions are left out.
    """
    present = _infos(store, name, snapshots.versions(store, name))
    known = history(store, name) | {version.info.version: version for version in present}
    return [known[number] for number in sorted(known)]


def _infos(store: ArtifactStore, name: str, numbers: Sequence[int]) -> list[PastVersion]:
    """Return the information of versions, without corrupt ones."""
    found = experience_log.at_once(partial(_info, store, name), numbers)
    return [info for info in found if info is not None]


def _info(store: ArtifactStore, name: str, number: int) -> PastVersion | None:
    """Return a version's information from the copy beside it, or else from the version itself."""
    key = keys.predictor(name, number, "json")
    try:
        return _decoded(store.get(key), key)
    except (ObjectNotFound, CorruptRecord):
        pass
    try:
        info = snapshots.load(store, name, number).info
    except (ObjectNotFound, CorruptRecord):
        return None
    return PastVersion(info, len(info.learned))


def _decoded(raw: bytes, key: str) -> PastVersion:
    count = from_json(raw, _NumLearned, key).num_learned
    return PastVersion(version_info.from_document(raw, key), count)


def _remember(store: ArtifactStore, name: str, versions: Sequence[PastVersion]) -> None:
    """Write a new block of the history."""
    lines = b"".join(seal_json(_line(version)) + b"\n" for version in versions)
    document = gzip.compress(lines, mtime=0)
    number = 1 + max(listing.numbers(store, keys.histories(name), ".jsonl.gz"), default=0)
    while not store.put_if_absent(keys.history(name, number), document):
        number += 1


def _line(version: PastVersion) -> bytes:
    """Return a line of the history, without what only the next version would need."""
    record = replace(version.info.record, recent=(), alarm=())
    document = version_info.to_document(replace(version.info, record=record, blocks=()))
    return msgspec.json.encode({**document, "num_learned": version.num_learned})
