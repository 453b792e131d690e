"""Versions of a predictor, and their update without losing or doubling an experience.

A version is one object, `v000001.safetensors`: tensors, with `SnapshotInfo` in its metadata, so
that no reader can see the tensors of one writer with the information of another. It is made with
put-if-absent. The `.json` beside it is a copy of the information for people.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from nasoa.errors import CorruptRecord, StoreUnavailable
from nasoa.records import Experience, to_json
from nasoa.store import experience_log, keys
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)

State = dict[str, NDArray[np.generic]]
MAX_TRIES = 200
LONGEST_WAIT_S = 0.2


@dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """What a version is.

    `parent`: the version that it came from, 0 for none. `learned`: every task learned so far,
    sorted; `new`: those that this version added, in the order in which they were learned.
    """

    name: str
    version: int
    parent: int
    learned: tuple[str, ...]
    new: tuple[str, ...]
    created_at: str
    code_version: str


@dataclass(frozen=True)
class Update:
    """What an update did; equal versions mean that there was nothing to learn."""

    version_before: int
    version_after: int
    learned: tuple[str, ...]


def versions(store: ArtifactStore, name: str) -> list[int]:
    """The numbers of all versions, ascending."""
    prefix = keys.predictors(name)
    found = (key.removeprefix(prefix) for key in store.list(prefix))
    return sorted(
        int(key[1:-12]) for key in found if key.endswith(".safetensors") and key[1:-12].isdigit()
    )


def load(store: ArtifactStore, name: str, version: int) -> tuple[State, SnapshotInfo]:
    """Tensors and information of a version.

    Raises:
        ObjectNotFound: there is no such version.
        CorruptRecord: it cannot be decoded.
    """
    key = keys.predictor(name, version, "safetensors")
    raw = store.get(key)
    try:
        state = load_tensors(raw)
        header = msgspec.json.decode(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        info = msgspec.json.decode(header["__metadata__"]["info"], type=SnapshotInfo)
    except (SafetensorError, msgspec.MsgspecError, KeyError, ValueError) as error:
        raise CorruptRecord(key, str(error)) from None
    return dict(state), info


def load_newest(store: ArtifactStore, name: str) -> tuple[State, SnapshotInfo] | None:
    """The highest version that can be read; a corrupt one is named and skipped."""
    return _load_highest(store, name, versions(store, name))


def _load_highest(
    store: ArtifactStore, name: str, numbers: list[int]
) -> tuple[State, SnapshotInfo] | None:
    for version in reversed(numbers):
        try:
            return load(store, name, version)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return None


def save(
    store: ArtifactStore, state: Mapping[str, NDArray[np.generic]], info: SnapshotInfo
) -> bool:
    """Make a version; False where its number is taken."""
    tensors = {name: np.asarray(value, order="C") for name, value in state.items()}
    document = save_tensors(tensors, {"info": msgspec.json.encode(info).decode()})
    if not store.put_if_absent(keys.predictor(info.name, info.version, "safetensors"), document):
        return False
    store.put(keys.predictor(info.name, info.version, "json"), to_json(info))
    return True


def update(
    store: ArtifactStore,
    name: str,
    learn: Callable[[State | None, list[Experience]], State],
    *,
    created_at: Callable[[], str],
    code_version: str,
) -> Update:
    """Learn every experience that the newest version has not learned, as the next version.

    Of many updates at once one makes the next number; the others start again from it. What a
    version learned is in itself, so nothing is lost and nothing is learned twice; what only a
    corrupt version had learned is learned again.

    Args:
        store: where versions and experiences are.
        name: of the predictor.
        learn: the state of the newest version, or None, and experiences by time -> new state.
        created_at: the time, as text.
        code_version: of this program.

    Raises:
        StoreUnavailable: others took the next number too many times in a row.
    """
    rng = random.Random()
    for attempt in range(MAX_TRIES):
        # The next number is that after this very listing: whoever makes a version after it takes
        # that number first, and this update starts again.
        numbers = versions(store, name)
        newest = _load_highest(store, name, numbers)
        state, parent, learned = (
            (newest[0], newest[1].version, set(newest[1].learned)) if newest else (None, 0, set())
        )
        wanted = [task_id for task_id in experience_log.task_ids(store) if task_id not in learned]
        fresh = sorted(
            experience_log.read_all(store, wanted), key=lambda e: (e.created_at, e.task.task_id)
        )
        if not fresh:
            return Update(parent, parent, ())
        new = tuple(experience.task.task_id for experience in fresh)
        info = SnapshotInfo(
            name=name,
            version=max(numbers, default=0) + 1,
            parent=parent,
            learned=tuple(sorted(learned.union(new))),
            new=new,
            created_at=created_at(),
            code_version=code_version,
        )
        if save(store, learn(state, fresh), info):
            return Update(parent, info.version, new)
        time.sleep(rng.uniform(0, min(LONGEST_WAIT_S, 0.01 * (attempt + 1))))
    raise StoreUnavailable(
        f"the predictor {name!r} in {store.uri} could not be updated in {MAX_TRIES} tries; "
        "try again when fewer tasks end at once"
    )
