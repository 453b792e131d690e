"""Seal documents with a digest of their own content, so that damage is detected.

A sealed document has a member `"sha256"`: the SHA-256 of the document with the 64 digits of that
member set to zeros. It is the last member of a JSON object, or part of the metadata of a
safetensors document; other readers ignore it. Documents of earlier releases have no digest and are
accepted as they are.
"""

from __future__ import annotations

import hashlib
import json
import re

import msgspec

from nasoa.errors import CorruptRecord

_MEMBER = b'"sha256"'
_ZEROS = b"0" * 64
_EMPTY = _MEMBER + b":" + b'"' + _ZEROS + b'"'
_FIELD = re.compile(rb'"sha256":\s*"([0-9a-f]{64})"')
_AT_THE_END = re.compile(rb'"sha256":\s*"([0-9a-f]{64})"\s*\}\s*')
# Longest possible member at the end of a document, including white space.
_TAIL_BYTES = 120
_LENGTH_BYTES = 8  # a safetensors document begins with the length of its header
_ALIGNMENT = 8  # of the tensors after the header


def seal_json(document: bytes) -> bytes:
    """Return a JSON object with its digest added as the last member.

    Args:
        document: a JSON object with at least one member.

    Raises:
        ValueError: `document` is not a JSON object.
    """
    body = document.rstrip()
    if not body.endswith(b"}"):
        raise ValueError("expected a JSON object")
    before, after = (b",\n ", b"\n}") if b"\n" in body else (b",", b"}")
    members = body[:-1].rstrip() + before
    return _filled(members + _EMPTY + after, len(members))


def check_json(document: bytes, key: str) -> None:
    """Check a JSON object against its digest, if it has one.

    Args:
        document: content that was read.
        key: key that it was read from, for the error.

    Raises:
        CorruptRecord: the digest does not match.
    """
    start = document.rfind(_MEMBER, max(0, len(document) - _TAIL_BYTES))
    if start >= 0:
        _compare(document, _AT_THE_END.fullmatch(document, start), key)


def has_seal(document: bytes, key: str) -> bool:
    """Return whether a JSON object has a digest that matches; see `check_json`."""
    try:
        check_json(document, key)
    except CorruptRecord:
        return False
    return document.rfind(_MEMBER, max(0, len(document) - _TAIL_BYTES)) >= 0


def seal_tensors(document: bytes) -> bytes:
    """Return a safetensors document with its digest added to the metadata."""
    end = _LENGTH_BYTES + int.from_bytes(document[:_LENGTH_BYTES], "little")
    header = json.loads(document[_LENGTH_BYTES:end])
    metadata = {**header.pop("__metadata__", {}), "sha256": _ZEROS.decode()}
    text = json.dumps({"__metadata__": metadata, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    whole = len(text).to_bytes(_LENGTH_BYTES, "little") + text + document[end:]
    return _filled(whole, whole.index(_EMPTY))


def check_tensors(document: bytes, key: str) -> None:
    """Check a safetensors document against its digest, if it has one; see `check_json`."""
    end = _LENGTH_BYTES + int.from_bytes(document[:_LENGTH_BYTES], "little")
    start = document.find(_MEMBER, 0, end)
    if start >= 0:
        _compare(document, _FIELD.match(document, start), key)


class _Header(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="__metadata__")


# Made here, as two threads may not look at a type for the first time at once.
_HEADER = msgspec.json.Decoder(_Header)


def metadata_of(document: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors document, which is known to be one.

    Raises:
        ValueError: there are none, or not texts by name.
    """
    end = _LENGTH_BYTES + int.from_bytes(document[:_LENGTH_BYTES], "little")
    try:
        return _HEADER.decode(document[_LENGTH_BYTES:end]).metadata
    except RecursionError:
        raise ValueError("its header is nested too deep") from None


def _filled(document: bytes, start: int) -> bytes:
    """Return the document with the zeros of its member at `start` replaced by the digest."""
    first = start + len(_EMPTY) - len(_ZEROS) - 1
    digest = hashlib.sha256(document).hexdigest().encode()
    return document[:first] + digest + document[first + len(_ZEROS) :]


def _compare(document: bytes, found: re.Match[bytes] | None, key: str) -> None:
    if found is not None:
        first, last = found.span(1)
        digest = hashlib.sha256(document[:first])
        digest.update(_ZEROS)
        digest.update(memoryview(document)[last:])
        if digest.hexdigest().encode() == found[1]:
            return
    raise CorruptRecord(key, "its content has changed since it was written (SHA-256 differs)")
