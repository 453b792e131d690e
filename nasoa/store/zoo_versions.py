"""Versions of zoos in the store: lists of entries, and weights under the digest of their content.

A version is one object, `zoo.json`, made with put-if-absent. Its entries name their weights by
SHA-256, and weights are stored under that name, for all zoos and versions. So weights are written
once, no writer can replace those of another, and readers can check that they are what the entry
means. Versions of earlier releases have their weights in the folder of the version, by name of the
model; the next version of such a zoo stores them by content.
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
    """The content of `zoo.json`; earlier releases wrote a plain list of entries."""

    entries: tuple[ZooEntry, ...]


@dataclass(frozen=True, kw_only=True)
class ZooVersion:
    """A version of a zoo; number 0, without entries, precedes the first."""

    zoo: str
    number: int
    entries: tuple[ZooEntry, ...] = ()


def newest_versions(store: ArtifactStore) -> list[ZooVersion]:
    """Return the newest readable version of every zoo, in order of names."""
    found = [_VERSION.fullmatch(key) for key in store.list(keys.ZOOS)]
    numbers: dict[str, list[int]] = {}
    for match in found:
        if match:
            numbers.setdefault(match["zoo"], []).append(int(match["number"]))
    return [_readable(store, zoo, numbers[zoo]) for zoo in sorted(numbers)]


def add_version(
    store: ArtifactStore, zoo: str, models: Mapping[str, tuple[ZooEntry, bytes]]
) -> list[ZooEntry]:
    """Make the next version of a zoo: the entries of the newest version, and the given models.

    Of concurrent writers, one makes the next version; the others start again from that.

    Args:
        store: store of the zoo.
        zoo: name of the zoo.
        models: entry and safetensors weights of each model, by name.

    Returns:
        The entries of `models` as stored, with the digests of their weights.

    Raises:
        InvalidInput: a model has an invalid name.
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
    """Return the safetensors weights of an entry of a version.

    Raises:
        ObjectNotFound: the store does not have them.
        CorruptRecord: their digest differs from that in the entry.
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
    """Return the numbers of all versions of a zoo."""
    found = (_VERSION.fullmatch(key) for key in store.list(keys.zoos(zoo)))
    return [int(match["number"]) for match in found if match]


def _readable(store: ArtifactStore, zoo: str, numbers: Sequence[int]) -> ZooVersion:
    """Return the highest of these versions that can be read; corrupt ones are logged."""
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
    """Return the entry with the digest of its weights, stored under it; None if it has none."""
    if entry.weights_sha256:
        return entry
    try:
        weights = read_weights(store, version, entry)
    except ObjectNotFound as error:
        logger.warning("%s: %s is left out of the next version", error, entry.name)
        return None
    return replace(entry, weights_sha256=_store_weights(store, weights))


def _store_weights(store: ArtifactStore, weights: bytes) -> str:
    """Write weights under their digest, unless they are there undamaged, and return the digest.

    All writers of a digest write the same content, so damaged weights can be overwritten.
    """
    digest = _digest(weights)
    key = keys.weights(digest)
    if not store.put_if_absent(key, weights) and store.get(key) != weights:
        store.put(key, weights)
    return digest


def _digest(weights: bytes) -> str:
    return hashlib.sha256(weights).hexdigest()
