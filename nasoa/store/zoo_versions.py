"""Versions of zoos in the store: lists of entries, and weights under the digest of their content.

A version is one object, `zoo.json`, made with put-if-absent. Its entries name their weights by
SHA-256, and weights lie under that name, whatever zoo and version they belong to. So weights are
written once, no writer can replace those of another, and whoever reads them can tell that they are
what the entry means. Versions of earlier releases have their weights in a folder of their own, by
the name of the model; the next version of that zoo stores them by content.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import ZooEntry, from_json, to_sealed_json
from nasoa.store import keys
from nasoa.store.protocol import ArtifactStore, check_name

logger = logging.getLogger(__name__)

_VERSION = re.compile(rf"{keys.ZOOS}(?P<zoo>[^/]+)/v(?P<number>[0-9]+)/zoo\.json")


@dataclass(frozen=True, kw_only=True)
class _Document:
    """What `zoo.json` holds; earlier releases wrote the entries alone."""

    entries: tuple[ZooEntry, ...]


@dataclass(frozen=True, kw_only=True)
class ZooVersion:
    """A version of a zoo; number 0, without entries, is before the first."""

    zoo: str
    number: int
    entries: tuple[ZooEntry, ...] = ()


def newest_versions(store: ArtifactStore) -> list[ZooVersion]:
    """The newest version of every zoo that can be read, by the zoo's name; see `newest_version`."""
    found = [_VERSION.fullmatch(key) for key in store.list(keys.ZOOS)]
    numbers: dict[str, list[int]] = {}
    for match in found:
        if match:
            numbers.setdefault(match["zoo"], []).append(int(match["number"]))
    return [_readable(store, zoo, numbers[zoo]) for zoo in sorted(numbers)]


def add_version(
    store: ArtifactStore, zoo: str, models: Mapping[str, tuple[ZooEntry, bytes]]
) -> list[ZooEntry]:
    """Make the next version of a zoo: the newest one's entries, and these.

    Of two that add at once one makes the next number; the other starts again from it.

    Args:
        store: where it is.
        zoo: its name.
        models: entry and safetensors weights of each model, by its name.

    Returns:
        The entries of `models` as they are stored, with the digests of their weights.

    Raises:
        InvalidInput: a model has a name that none can have.
    """
    for name in models:
        check_name(name)
    added = [
        replace(entry, weights_sha256=_store_weights(store, weights))
        for entry, weights in models.values()
    ]
    while True:
        numbers = _numbers(store, zoo)
        kept = _readable(store, zoo, numbers)
        others = [
            entry
            for old in kept.entries
            if old.name not in models and (entry := _by_content(store, kept, old))
        ]
        entries = tuple(sorted([*others, *added], key=lambda entry: entry.name))
        key = keys.zoo(zoo, max(numbers, default=0) + 1)
        if store.put_if_absent(key, to_sealed_json(_Document(entries=entries))):
            return added


def read_weights(store: ArtifactStore, version: ZooVersion, entry: ZooEntry) -> bytes:
    """The safetensors weights of an entry of a version.

    Raises:
        ObjectNotFound: the store does not hold them.
        CorruptRecord: they are not what was added.
    """
    if not entry.weights_sha256:
        return store.get(keys.earlier_weights(version.zoo, version.number, entry.name))
    key = keys.weights(entry.weights_sha256)
    found = store.get(key)
    if _digest(found) != entry.weights_sha256:
        raise CorruptRecord(
            key, f"the weights of {entry.name} are not what was added; add the model again"
        )
    return found


def _numbers(store: ArtifactStore, zoo: str) -> list[int]:
    """The numbers of all versions of a zoo."""
    found = (_VERSION.fullmatch(key) for key in store.list(keys.zoos(zoo)))
    return [int(match["number"]) for match in found if match]


def _readable(store: ArtifactStore, zoo: str, numbers: Sequence[int]) -> ZooVersion:
    """The highest of these versions that can be read; corrupt ones are named."""
    for number in sorted(numbers, reverse=True):
        key = keys.zoo(zoo, number)
        try:
            return ZooVersion(zoo=zoo, number=number, entries=_entries(store.get(key), key))
        except (CorruptRecord, ObjectNotFound) as error:
            logger.warning("%s; the version of the zoo before it is used", error)
    return ZooVersion(zoo=zoo, number=0)


def _entries(raw: bytes, key: str) -> tuple[ZooEntry, ...]:
    if raw.lstrip().startswith(b"["):
        return tuple(from_json(raw, list[ZooEntry], key))
    return from_json(raw, _Document, key).entries


def _by_content(store: ArtifactStore, version: ZooVersion, entry: ZooEntry) -> ZooEntry | None:
    """The entry with the digest of its weights, which lie under it; None where there are none."""
    if entry.weights_sha256:
        return entry
    try:
        weights = read_weights(store, version, entry)
    except ObjectNotFound as error:
        logger.warning("%s: %s is left out of the next version", error, entry.name)
        return None
    return replace(entry, weights_sha256=_store_weights(store, weights))


def _store_weights(store: ArtifactStore, weights: bytes) -> str:
    """Write weights under their digest, unless they lie there undamaged; returns the digest.

    Whoever writes under a digest writes the same, so damaged ones can be replaced in place.
    """
    digest = _digest(weights)
    key = keys.weights(digest)
    if not store.put_if_absent(key, weights) and store.get(key) != weights:
        store.put(key, weights)
    return digest


def _digest(weights: bytes) -> str:
    return hashlib.sha256(weights).hexdigest()
