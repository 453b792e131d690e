"""Tar archives, whose headers tell what is not so: shared by the kinds of tars and shards."""

from __future__ import annotations

import bz2
import gzip
import lzma
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.mutations import damaged, number, odd_text, often, reordered, some

BLOCK = 512
_TYPES = b"0\0005123467xgLKSDMNVA\xff"
_SPARSE = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "cat/sparse.png",
    "GNU.sparse.realsize": "99999999999",
}


@dataclass
class Member:
    """A member: what its header tells, and its bytes."""

    name: bytes
    content: bytes
    kind: bytes = b"0"
    mode: int = 0o644
    link: bytes = b""
    magic: bytes = b"ustar\x0000"
    prefix: bytes = b""
    # What the field of the size holds; by default the true one.
    size: bytes | None = None
    checksum: int | None = None
    other: dict[int, bytes] = field(default_factory=dict)  # offset -> bytes

    def to_bytes(self) -> bytes:
        """Write it."""
        header = bytearray(BLOCK)
        size = b"%011o\0" % len(self.content) if self.size is None else self.size
        for at, length, value in (
            (0, 100, self.name),
            (100, 8, b"%07o\0" % self.mode),
            (108, 8, b"0000000\0"),
            (116, 8, b"0000000\0"),
            (124, 12, size),
            (136, 12, b"00000000000\0"),
            (156, 1, self.kind),
            (157, 100, self.link),
            (257, 8, self.magic),
            (345, 155, self.prefix),
        ):
            header[at : at + length] = value[:length].ljust(length, b"\0")
        for at, value in self.other.items():
            header[at : at + len(value)] = value
        header[148:156] = b" " * 8
        checksum = sum(header) if self.checksum is None else self.checksum
        header[148:156] = (b"%06o\0 " % checksum)[:8].ljust(8, b" ")
        return bytes(header[:BLOCK]) + self.content + bytes(-len(self.content) % BLOCK)


def pax(records: dict[str, str], kind: bytes = b"x") -> Member:
    """An extended header."""
    content = b"".join(_record(key, value) for key, value in records.items())
    return Member(b"PaxHeaders/x", content, kind)


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode("utf-8", "surrogatepass")
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def written(members: list[Member], end: int = 2) -> bytes:
    """A tar of members, with so many blocks of zeros at its end."""
    return b"".join(member.to_bytes() for member in members) + bytes(BLOCK * end)


def mutate(rng: Random, members: list[Member]) -> None:
    """Change members in one way, in place."""
    if not members:
        members.append(Member(b"cat/x.png", b""))
    member = some(rng, members)
    choice = rng.randrange(10)
    if choice <= 1:
        member.size = _size(rng)
    elif choice == 2:
        member.name = _name(rng)
        member.prefix = rng.choice((b"", b"", b"p" * 155, b"../..", b"/"))
    elif choice == 3:
        at = rng.randrange(len(_TYPES))
        member.kind = _TYPES[at : at + 1]
        member.link = rng.choice((b"", b"cat/0.png", b"/etc/passwd", b"../x", rng.randbytes(8)))
    elif choice == 4:
        members.insert(rng.randrange(len(members) + 1), _extended(rng))
    elif choice == 5:
        reordered(rng, members)
    elif choice == 6:
        member.content = rng.choice(
            (b"", damaged(rng, member.content), bytes(rng.choice((1, 511, 513, 70_000))))
        )
    elif choice == 7:
        member.checksum = number(rng, 18) if rng.random() < 0.5 else None
        member.magic = rng.choice((b"ustar  \0", b"", b"ustar\x0000", rng.randbytes(8)))
        if rng.random() < 0.3:
            member.size = b"%011o\0" % (len(member.content) + rng.choice((-1, 1, 512, -512)))
    elif choice == 8:
        member.other[rng.randrange(BLOCK)] = rng.randbytes(rng.choice((1, 2, 12)))
    else:
        members.insert(rng.randrange(len(members) + 1), _long_name(rng))


def _size(rng: Random) -> bytes:
    choice = rng.randrange(4)
    if choice == 0:
        return b"%011o\0" % number(rng, 33)
    if choice == 1:  # base 256, of either sign
        return b"\x80" + number(rng, 88).to_bytes(11, "big")
    if choice == 2:
        return b"\xff" + number(rng, 88).to_bytes(11, "big")
    odd = (b"", b"-0000000001", b"99999999999", b" 12 ", b"7" * 12, rng.randbytes(12))
    return rng.choice(odd)


def _name(rng: Random) -> bytes:
    text = odd_text(rng).encode("utf-8", rng.choice(("surrogatepass", "replace")))
    folder = rng.choice((b"cat/", b"dog/", b"", b"./", b"train/cat/"))
    return rng.choice((folder + text + b".png", text, rng.randbytes(6), b"./cat/0.png", b"./"))


def _extended(rng: Random) -> Member:
    keys = ("path", "size", "linkpath", "mtime", "uid", "hdrcharset", "comment", *_SPARSE)
    records = {
        some(rng, keys): rng.choice((odd_text(rng), str(number(rng, 64)), "-1", "5.5"))
        for _ in often(rng, 2.0)
    }
    if rng.random() < 0.2:
        records |= _SPARSE
    if rng.random() < 0.1:
        records |= {"GNU.sparse.map": ",".join(str(number(rng, 40)) for _ in range(4))}
    made = pax(records, rng.choice((b"x", b"x", b"g", b"X")))
    if rng.random() < 0.3:
        made.content = damaged(rng, made.content)
    if rng.random() < 0.2:
        made.size = _size(rng)
    return made


def _long_name(rng: Random) -> Member:
    content = _name(rng) * rng.choice((1, 1, 40, 3000))
    made = Member(b"././@LongLink", content + b"\0", rng.choice((b"L", b"K")), magic=b"ustar  \0")
    if rng.random() < 0.3:
        made.size = _size(rng)
    return made


def compressed(rng: Random, raw: bytes) -> bytes:
    """The tar packed as a whole, and damaged some of the time."""
    if rng.random() < 0.05:
        raw += bytes(rng.choice((10**6, 30 * 10**6)))  # more than the limit, and small when packed
        packed = gzip.compress(raw, 1, mtime=0)
    else:
        pack = rng.choice((_gzip, bz2.compress, lzma.compress))
        packed = pack(raw)
    if rng.random() < 0.2:
        packed += packed
    return damaged(rng, packed) if rng.random() < 0.6 else packed


def _gzip(raw: bytes) -> bytes:
    return gzip.compress(raw, 1, mtime=0)


def make(rng: Random, members: list[Member]) -> bytes:
    """A tar of these members, damaged in one or a few ways."""
    if rng.random() < 0.85:
        for _ in often(rng):
            mutate(rng, members)
    raw = written(members, rng.choice((2, 2, 2, 2, 0, 1, 18)))
    if rng.random() < 0.1:  # cut or damaged at a boundary
        at = BLOCK * rng.randrange(len(raw) // BLOCK + 1)
        raw = rng.choice(
            (raw[:at], raw[:at] + bytes(BLOCK) + raw[at:], raw[:at] + raw[at + BLOCK :])
        )
    return damaged(rng, raw) if rng.random() < 0.2 else raw
