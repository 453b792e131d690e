"""Versions of a predictor in the store.

A version is one object, `v000001.safetensors`: tensors, with `SnapshotInfo` in its metadata, so
that no reader can see the tensors of one writer with the information of another. It is made with
put-if-absent. The `.json` beside it is a copy of the information for people; a corrupt version is
restored with it. `newest` holds the number at which the search for the newest version starts; a
wrong one only costs time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound
from nasoa.records import to_sealed_json
from nasoa.seal import check_tensors, metadata_of, seal_tensors
from nasoa.store import keys, listing, version_info
from nasoa.store.protocol import NAME, ArtifactStore
from nasoa.store.version_info import SnapshotInfo

State = dict[str, NDArray[np.generic]]
_VERSION = re.compile(rf"{keys.PREDICTORS}(?P<name>{NAME.pattern})/v[0-9]+\.safetensors")
# From a million on, numbers have a seventh digit, and keys no longer sort like numbers.
LAST_SORTED = 999_000


@dataclass(frozen=True)
class Snapshot:
    """The tensors and the information of a version."""

    state: State
    info: SnapshotInfo


def versions(store: ArtifactStore, name: str, after: int = 0) -> list[int]:
    """Return the numbers of all versions above `after`, ascending."""
    prefix = keys.predictors(name)
    start = keys.predictor(name, after, "safetensors") if 0 < after < LAST_SORTED else ""
    found = listing.numbers(store, prefix, ".safetensors", first="v", after=start)
    return [number for number in found if number > after]


def newest_versions(store: ArtifactStore, name: str) -> list[int]:
    """Return the numbers of the newest versions, ascending; at least one, if there is any.

    The list starts at a recent version and ends with the newest, so it is much shorter than that
    of all versions.
    """
    try:
        hint = int(store.get(keys.newest_hint(name)))
    except (ObjectNotFound, ValueError):
        return versions(store, name)
    found = versions(store, name, after=hint - 1)
    return found if hint in found else versions(store, name)


def other_names(store: ArtifactStore, name: str) -> list[str]:
    """Return the names of saved predictors of the same family with other layouts, sorted.

    A name may start with a family and a dot.
    """
    found = [_VERSION.fullmatch(key) for key in store.list(keys.PREDICTORS)]
    others = {match["name"] for match in found if match} - {name}
    return sorted(other for other in others if _family(other) == _family(name))


def _family(name: str) -> str:
    return name.rpartition(".")[0]


def load(store: ArtifactStore, name: str, version: int) -> Snapshot:
    """Load the tensors and the information of a version.

    Raises:
        ObjectNotFound: there is no such version.
        CorruptRecord: it cannot be decoded.
    """
    key = keys.predictor(name, version, "safetensors")
    raw = store.get(key)
    check_tensors(raw, key)
    try:
        state = dict(load_tensors(raw))
        info = version_info.from_metadata(metadata_of(raw))
    except (SafetensorError, LookupError, ValueError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None
    return Snapshot(state, info)


def load_named(store: ArtifactStore, name: str, version: int) -> Snapshot:
    """Load a version that a user asks for.

    Raises:
        InvalidInput: there is no version of this number, or it cannot be read.
    """
    try:
        return load(store, name, version)
    except ObjectNotFound:
        known = versions(store, name)
        there = f"the versions are {spans(known)}" if known else f"{store.uri} has no version yet"
        raise InvalidInput(f"expected a version of the predictor, got {version}: {there}") from None
    except CorruptRecord as error:
        raise InvalidInput(f"version {version} cannot be used, name another: {error}") from None


def spans(numbers: Sequence[int]) -> str:
    """Format ascending numbers as text.

    >>> spans([1, 2, 3, 5])
    '1 to 3, 5'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def save(store: ArtifactStore, snapshot: Snapshot) -> bool:
    """Save a version; return False if its number is taken."""
    info = snapshot.info
    tensors = {name: np.asarray(value, order="C") for name, value in snapshot.state.items()}
    document = seal_tensors(save_tensors(tensors, version_info.to_metadata(info)))
    if not store.put_if_absent(keys.predictor(info.name, info.version, "safetensors"), document):
        return False
    copy = to_sealed_json(version_info.to_document(info))
    store.put(keys.predictor(info.name, info.version, "json"), copy)
    store.put(keys.newest_hint(info.name), str(info.version).encode())
    return True
