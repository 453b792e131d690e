"""Zip archives as DATA, whose headers, directory and end tell what is not so."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.given import NAMES, place, png, read_path
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, number, odd_text, often, reordered, some

STORED, DEFLATED = 0, 8
_METHODS = (0, 0, 8, 8, 1, 6, 9, 12, 14, 93, 95, 98, 99, 0xFFFF)


@dataclass
class Entry:
    """A file of an archive: what its local header and the directory tell, and its bytes."""

    name: bytes
    content: bytes
    method: int = STORED
    flags: int = 0
    attributes: int = 0o100644 << 16
    extra: bytes = b""
    local_extra: bytes = b""
    comment: bytes = b""
    is_streamed: bool = False  # sizes follow the content
    # Fields of the directory, and of the local header, that are not as they should be.
    lies: dict[str, int] = field(default_factory=dict)
    local_lies: dict[str, int] = field(default_factory=dict)
    same_as: int = -1  # has the local header of another one

    def packed(self) -> bytes:
        """The content as it lies there."""
        if self.method != DEFLATED:
            return self.content
        packing = zlib.compressobj(6, zlib.DEFLATED, -15)
        return packing.compress(self.content) + packing.flush()


@dataclass
class Archive:
    """A zip, as it is written."""

    entries: list[Entry]
    before: bytes = b""
    between: bytes = b""  # files and directory
    comment: bytes = b""
    is_large: bool = False  # with the end of zip64
    lies: dict[str, int] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Write it."""
        out = bytearray(self.before)
        places: list[tuple[int, dict[str, int]]] = []
        for entry in self.entries:
            if 0 <= entry.same_as < len(places):
                places.append(places[entry.same_as])
                continue
            packed = entry.packed()
            true = {
                "crc": zlib.crc32(entry.content),
                "packed": len(packed),
                "size": len(entry.content),
                "method": entry.method,
                "flags": entry.flags | (8 if entry.is_streamed else 0),
            }
            places.append((len(out), true))
            told = {**true, **({"crc": 0, "packed": 0, "size": 0} if entry.is_streamed else {})}
            out += _local(entry, {**told, **entry.local_lies}) + packed
            if entry.is_streamed:
                sizes = (true["crc"], true["packed"], true["size"])
                out += b"PK\x07\x08" + struct.pack("<3L", *sizes)
        out += self.between
        start = len(out)
        for entry, (offset, true) in zip(self.entries, places, strict=True):
            out += _central(entry, {"offset": offset, **true, **entry.lies})
        return bytes(out + self._end(start, len(out) - start))

    def _end(self, start: int, size: int) -> bytes:
        count = len(self.entries)
        fields = {"disk": 0, "count": count, "total": count, "bytes": size, "start": start}
        fields |= {"comment": len(self.comment), **self.lies}
        out = b""
        if self.is_large:
            out += b"PK\x06\x06" + struct.pack("<Q2H2L", 44, 45, 45, 0, 0)
            out += b"".join(_fit(fields[k], 8) for k in ("count", "total", "bytes", "start"))
            out += b"PK\x06\x07" + _fit(0, 4) + _fit(self.lies.get("end", start + size), 8)
            out += _fit(self.lies.get("disks", 1), 4)
        out += b"PK\x05\x06" + _fit(fields["disk"], 2) * 2
        out += _fit(fields["count"], 2) + _fit(fields["total"], 2)
        out += _fit(fields["bytes"], 4) + _fit(fields["start"], 4)
        return out + _fit(fields["comment"], 2) + self.comment


def _local(entry: Entry, told: dict[str, int]) -> bytes:
    out = b"PK\x03\x04" + _fit(told.get("version", 20), 2) + _fit(told["flags"], 2)
    out += _fit(told["method"], 2) + _fit(told.get("time", 0), 2) + _fit(told.get("date", 33), 2)
    out += b"".join(_fit(told[key], 4) for key in ("crc", "packed", "size"))
    out += _fit(told.get("name", len(entry.name)), 2)
    out += _fit(told.get("extra", len(entry.local_extra)), 2)
    return out + entry.name + entry.local_extra


def _central(entry: Entry, told: dict[str, int]) -> bytes:
    out = b"PK\x01\x02" + _fit(told.get("made", 0x031E), 2) + _fit(told.get("version", 20), 2)
    out += _fit(told["flags"], 2) + _fit(told["method"], 2)
    out += _fit(told.get("time", 0), 2) + _fit(told.get("date", 33), 2)
    out += b"".join(_fit(told[key], 4) for key in ("crc", "packed", "size"))
    out += _fit(told.get("name", len(entry.name)), 2)
    out += _fit(told.get("extra", len(entry.extra)), 2)
    out += _fit(told.get("comment", len(entry.comment)), 2) + _fit(told.get("disk", 0), 2)
    out += _fit(told.get("internal", 0), 2)
    out += _fit(told.get("attributes", entry.attributes), 4) + _fit(told["offset"], 4)
    return out + entry.name + entry.extra + entry.comment


def _fit(value: int, size: int) -> bytes:
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


_FIELDS = {
    "crc": 32,
    "packed": 32,
    "size": 32,
    "method": 16,
    "flags": 16,
    "offset": 32,
    "name": 16,
    "extra": 16,
    "comment": 16,
    "disk": 16,
    "attributes": 32,
    "made": 16,
    "version": 16,
    "time": 16,
    "date": 16,
}
_END_FIELDS = {
    "disk": 16,
    "count": 64,
    "total": 64,
    "bytes": 64,
    "start": 64,
    "comment": 16,
    "end": 64,
    "disks": 32,
}


def mutate(rng: Random, archive: Archive) -> None:
    """Change an archive in one way, in place."""
    choice = rng.randrange(12)
    if not archive.entries:
        archive.entries.append(Entry(b"cat/9.png", png()))
    entry = some(rng, archive.entries)
    if choice <= 2:
        lies = entry.lies if rng.random() < 0.7 else entry.local_lies
        key = some(rng, list(_FIELDS))
        true = {"size": len(entry.content), "packed": len(entry.content)}.get(key, 0)
        near = true + rng.choice((-1, 1, 16, 1000))
        lies[key] = near if rng.random() < 0.3 else number(rng, _FIELDS[key])
        if key in ("size", "packed", "crc") and rng.random() < 0.5:
            entry.local_lies[key] = entry.lies[key] = lies[key]
    elif choice == 3:
        entry.name = _name(rng)
    elif choice == 4:
        # A large entry stays packed, or the case itself takes more memory than reading it may.
        entry.method = some(rng, _METHODS) if len(entry.content) < 10**5 else entry.method
        entry.flags = rng.choice((0, 1, 8, 0x20, 0x40, 0x800, 0x2000))
        entry.is_streamed = rng.random() < 0.3
    elif choice == 5:
        entry.content = rng.choice(
            (b"", damaged(rng, entry.content), bytes(rng.choice((1000, 200_000, 9_000_000))))
        )
        entry.method = rng.choice((STORED, DEFLATED)) if len(entry.content) < 10**5 else DEFLATED
    elif choice == 6:
        reordered(rng, archive.entries)
    elif choice == 7:
        entry.extra = _extra(rng)
        entry.local_extra = _extra(rng) if rng.random() < 0.5 else b""
    elif choice == 8:
        archive.lies[some(rng, list(_END_FIELDS))] = number(rng, 64)
    elif choice == 9:
        archive.is_large = rng.random() < 0.6
        archive.comment = rng.choice((b"", b"x" * 40, b"PK\x05\x06" + bytes(18), b"PK\x06\x07"))
        archive.before = rng.choice((b"", b"MZ" * 50, rng.randbytes(30)))
        archive.between = rng.choice((b"", b"\0" * 7, b"PK\x06\x08\0\0\0\0"))
    elif choice == 10:
        entry.same_as = rng.randrange(max(1, len(archive.entries)))
    else:
        mode = rng.choice((0o120777, 0o040755, 0o020644, 0o010644, 0o060644, 0, 0xFFFF))
        entry.attributes = mode << 16 | rng.choice((0, 0x10, 0x20))


def _name(rng: Random) -> bytes:
    text = odd_text(rng)
    folder = rng.choice(("cat/", "dog/", "", "train/cat/", "cat/sub/"))
    suffix = rng.choice((".png", ".jpg", ".csv", "", "/", ".zip", ".xml"))
    name = (folder + text[:60000] + suffix).encode("utf-8", "surrogatepass")
    return rng.choice((name, name, rng.randbytes(8) + b".png", b"cat\\0.png", b"CAT/0.PNG"))[:65535]


def _extra(rng: Random) -> bytes:
    kinds = (0x0001, 0x5455, 0x7075, 0x6375, 0x9901, 0x000A, rng.getrandbits(16))
    out = b""
    for _ in often(rng):
        body = rng.randbytes(rng.choice((0, 1, 4, 8, 16, 24, 28)))
        if rng.random() < 0.3:
            body = struct.pack("<3Q", *(number(rng, 64) for _ in range(3)))
        size = len(body) if rng.random() < 0.7 else number(rng, 16)
        out += struct.pack("<2H", rng.choice(kinds), size) + body
    return out


def whole() -> Archive:
    """An archive of two classes."""
    entries = [
        Entry(name.encode(), png(index), DEFLATED if index % 2 else STORED)
        for index, name in enumerate(NAMES)
    ]
    return Archive(entries)


def make(rng: Random) -> bytes:
    """A zip that is damaged in one or a few ways."""
    archive = whole()
    if rng.random() < 0.85:
        for _ in often(rng):
            mutate(rng, archive)
    raw = archive.to_bytes()
    return damaged(rng, raw) if rng.random() < 0.3 else raw


def run(case: bytes, folder: Path) -> None:
    """Read it; one in sixteen as a task does."""
    read_path(place(folder, "set.zip", case), whole=len(case) % 16 == 0)


def warm_up() -> Iterable[bytes]:
    raw = whole().to_bytes()
    return (raw, whole_large())


def whole_large() -> bytes:
    """The same with the end of zip64."""
    archive = whole()
    archive.is_large = True
    return archive.to_bytes()


KIND = Kind(make, run, warm_up)
