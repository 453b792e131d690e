"""The information of a predictor version: how it was made and what it has learned."""

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

    `errors`: predicted minus measured accuracy of each of the version's `new`, in that order.
    `rang_at`: the errors, counted from 1, at which the drift alarm rang in this version.
    `weights`: weights of the predictor's experts after the version, by name.

    The other fields continue those of the parent version: `num_errors` and `sum_abs_error` cover
    all errors so far, `recent` holds the latest absolute errors, and `alarm` is the state of the
    drift alarm.
    """

    errors: tuple[float, ...] = ()
    num_errors: int = 0
    sum_abs_error: float = 0.0
    recent: tuple[float, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    rang_at: tuple[int, ...] = ()
    alarm: tuple[float, ...] = ()

    def carried_over(self) -> LearningRecord:
        """Return the record of a version that continues from this one, before it learns."""
        return replace(self, errors=(), rang_at=())


@dataclass(frozen=True, kw_only=True)
class SnapshotInfo:
    """The information of a version.

    `kind`: how it was made: by an update, a rollback or a rebuild, from the packaged starter, or
    from a starter that has learned the store's collections. `parent`: the version that it was made
    from, 0 for none; a rollback equals its parent. `learned`: all tasks learned so far, sorted;
    `new`: those that this version added, in the order in which they were learned. `left_out`: tasks
    that updates do not learn, sorted. `blocks`: numbers of the blocks of the experience log with
    nothing left to learn.
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


# Made on import and not at its first use, which may be in two threads at once (see
# `nasoa.records.from_json`).
_DECODER = msgspec.json.Decoder(SnapshotInfo)


def nothing(name: str) -> SnapshotInfo:
    """Return the information of version 0, which precedes the first and is never stored."""
    return SnapshotInfo(name=name, version=0, parent=0, new=(), created_at="", code_version="")


def to_metadata(info: SnapshotInfo) -> dict[str, str]:
    """Return the information as metadata of a safetensors file.

    The learned tasks are stored separately and compressed, because they are by far the longest part
    and every version repeats them.
    """
    ids = zlib.compress("\n".join(info.learned).encode())
    shorter = msgspec.json.encode(replace(info, learned=()))
    return {"info": shorter.decode(), "learned": base64.b64encode(ids).decode()}


def from_metadata(metadata: dict[str, str]) -> SnapshotInfo:
    """Decode the result of `to_metadata`, or of an earlier release that wrote all in "info".

    Raises:
        KeyError: there is no information.
        ValueError: it cannot be decoded (the errors of msgspec and base64 are `ValueError`s).
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
    """Return the information for people, with the number of learned tasks for their names."""
    fields: dict[str, Any] = msgspec.to_builtins(replace(info, learned=()))
    del fields["learned"]
    return {**fields, "num_learned": len(info.learned)}


def from_document(raw: bytes, key: str) -> SnapshotInfo:
    """Decode the result of `to_document`, which has no names of learned tasks.

    Raises:
        CorruptRecord: it cannot be decoded; the message names `key`.
    """
    return from_json(raw, SnapshotInfo, key)
