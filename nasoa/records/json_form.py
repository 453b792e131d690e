"""The JSON form of records."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.seal import check_json, seal_json

T = TypeVar("T")

_FIRST_LOOK = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def to_json(record: object) -> bytes:
    """The JSON form of a record, or of a list or mapping of records."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def to_sealed_json(record: object) -> bytes:
    """The JSON form of a record with the SHA-256 that `from_json` compares it with."""
    return seal_json(to_json(record))


def from_json(raw: bytes | str, kind: type[T], key: str = "<json>") -> T:
    """A record of `kind` from its JSON form, sealed or not.

    Raises:
        CorruptRecord: `raw` is not JSON, not that of a `kind`, has a number out of its range, or
            is not what was sealed; names `key`.
    """
    check_json(raw.encode() if isinstance(raw, str) else raw, key)
    try:
        return _decoder(kind).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptRecord(key, str(error)) from None


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a kind of records.

    msgspec ends the process with a segmentation fault when two threads look at a dataclass for the
    first time at once, and making its decoder is that first look.
    """
    with _FIRST_LOOK:
        if kind not in _DECODERS:
            _DECODERS[kind] = msgspec.json.Decoder(kind)
        found: msgspec.json.Decoder[T] = _DECODERS[kind]
    return found
