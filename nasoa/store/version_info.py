"""What a version of a predictor says of itself: where it comes from and what it has learned."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from nasoa.records import from_json

STARTER, COLLECTIONS = "starter", "collections"
UPDATE, ROLLBACK, REBUILD = "update", "rollback", "rebuild"
# Names of tasks, which differ at least by their numbers, are not compressed further than this.
_LARGEST_RATIO = 64


@dataclass(frozen=True, kw_only=True)
class LearningRecord:
    """How well experiences were predicted just before they were learned.

    `errors`: predicted less reached accuracy for each of the version's `new`, in that order.
    The rest goes on from the version that this one came from: `num_errors` and `sum_abs_error`
    over all errors so far, `recent` the latest absolute errors, `alarm` what the drift alarm
    keeps. `rang_at`: the errors, counted from 1, at which it rang in this version. `weights` are
    those of the predictor's experts, by name, after the version.
    """

    errors: tuple[float, ...] = ()
    num_errors: int = 0
    sum_abs_error: float = 0.0
    recent: tuple[float, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    rang_at: tuple[int, ...] = ()
    alarm: tuple[float, ...] = ()

    def carried_over(self) -> LearningRecord:
        """The record of a version that goes on from this one and has learned nothing itself."""
        return replace(self, errors=(), rang_at=())


@dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """What a version is.

    `kind`: how it was made, by an update, a rollback or a rebuild, that it came with the package,
    or that it is of the package's runs and collections of the store. `parent`: the version that it
    came from, 0 for none; a rollback equals its parent. `learned`: every task learned so far,
    sorted; `new`: those that this version added, in the order in which they were learned.
    `left_out`: tasks that updates do not learn, sorted. `blocks`:
    numbers of the blocks of the experience log in which there is nothing left to learn.
    """

    name: str
    version: int
    parent: int
    learned: tuple[str, ...] = ()
    new: tuple[str, ...]
    created_at: str
    code_version: str
    kind: str = UPDATE
    left_out: tuple[str, ...] = ()
    blocks: tuple[int, ...] = ()
    record: LearningRecord = field(default_factory=LearningRecord)


# Made here and not when it is first used, as two threads may do that at once (see
# `nasoa.records.from_json`).
_DECODER = msgspec.json.Decoder(SnapshotInfo)


def nothing(name: str) -> SnapshotInfo:
    """What is known before the first version: version 0, which is never stored."""
    return SnapshotInfo(name=name, version=0, parent=0, new=(), created_at="", code_version="")


def to_metadata(info: SnapshotInfo) -> dict[str, str]:
    """The information as text by name.

    The tasks that were learned stand apart, compressed: they are by far the longest, and every
    version repeats them.
    """
    ids = zlib.compress("\n".join(info.learned).encode())
    shorter = msgspec.json.encode(replace(info, learned=()))
    return {"info": shorter.decode(), "learned": base64.b64encode(ids).decode()}


def from_metadata(metadata: dict[str, str]) -> SnapshotInfo:
    """The information that `to_metadata` was given, or an earlier release with all in "info".

    Raises:
        KeyError: there is none.
        ValueError: it cannot be decoded (`msgspec.MsgspecError` is one, and so is what base64
            raises).
    """
    info = _DECODER.decode(metadata["info"])
    if "learned" not in metadata:
        return info
    ids = _unpacked(base64.b64decode(metadata["learned"])).decode()
    return replace(info, learned=tuple(ids.split("\n")) if ids else ())


def _unpacked(raw: bytes) -> bytes:
    """The bytes that were compressed; `ValueError` where damaged, or they grow beyond reason."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(raw, _LARGEST_RATIO * len(raw) + 1024)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("the names of what was learned are cut short, or too many")
    return content


def to_document(info: SnapshotInfo) -> dict[str, Any]:
    """The information for people: the tasks learned before this version are counted."""
    fields: dict[str, Any] = msgspec.to_builtins(replace(info, learned=()))
    del fields["learned"]
    return {**fields, "num_learned": len(info.learned)}


def from_document(raw: bytes, key: str) -> SnapshotInfo:
    """The information of `to_document`, without the tasks that were learned.

    Raises:
        CorruptRecord: it cannot be decoded; names `key`.
    """
    return from_json(raw, SnapshotInfo, key)
