"""PNG files, whose chunks tell what is not so, with checksums that are right."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image, PngImagePlugin

from tests.fuzz.images import noise, read_image_bytes, saved
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, number, often, reordered, some

MAGIC = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole files of several modes."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a title", zip=True)
    info.add_itxt("Author", "an author")
    exif = Image.Exif()
    exif[274] = 3
    palette = noise("P")
    palette.info["transparency"] = b"\x00\x80\xff"
    return (
        saved(noise(), "PNG"),
        saved(noise("L"), "PNG"),
        saved(noise("1"), "PNG"),
        saved(noise("LA"), "PNG"),
        saved(noise("RGBA"), "PNG"),
        saved(palette, "PNG", transparency=b"\x00\x80\xff"),
        saved(noise("I;16"), "PNG"),
        saved(noise(), "PNG", pnginfo=info, exif=exif, dpi=(72, 72), icc_profile=b"x" * 50),
        saved(noise(), "PNG", save_all=True, append_images=[noise("L"), noise()]),
        saved(noise("RGB"), "PNG", transparency=(1, 2, 3)),
    )


def taken_apart(raw: bytes) -> list[Chunk]:
    """The chunks of a whole file."""
    chunks, at = [], len(MAGIC)
    while at + 12 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        chunks.append((raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def put_together(chunks: list[Chunk], lies: dict[int, int] | None = None) -> bytes:
    """The file of chunks; `lies` are lengths by index that are not the true ones."""
    out = MAGIC
    for index, (name, body) in enumerate(chunks):
        length = (lies or {}).get(index, len(body))
        out += length.to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
    return out


def _mutate(rng: Random, chunks: list[Chunk], lies: dict[int, int]) -> None:
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    choice = rng.randrange(9)
    if choice <= 2:
        for index, (found, header) in enumerate(chunks):
            if found == b"IHDR":
                chunks[index] = (found, _header(rng, bytearray(header)))
    elif choice == 3:
        reordered(rng, chunks)
    elif choice == 4:
        lies[at] = number(rng, 32)
    elif choice == 5:
        chunks.insert(at, _chunk(rng))
    elif choice == 6:
        for index, (found, packed) in enumerate(chunks):
            if found in (b"IDAT", b"fdAT"):
                chunks[index] = (found, _pixels(rng, packed))
    elif choice == 7:
        chunks[at] = (rng.choice((b"IDAT", b"IEND", b"PLTE", b"fdAT", b"abcd", b"\0\0\0\0")), body)
    else:
        chunks[at] = (name, damaged(rng, body))


def _header(rng: Random, body: bytearray) -> bytes:
    what = rng.randrange(5) if len(body) == 13 else 4
    if what <= 1:
        for place in rng.choice(((0,), (4,), (0, 4))):
            side = rng.choice((0, 1, 100, 1000, 16384, 2**16, 2**31 - 1, number(rng, 32)))
            body[place : place + 4] = side.to_bytes(4, "big")
    elif what == 2:
        body[8] = rng.choice((0, 1, 2, 4, 8, 16, 32, 255))
        body[9] = rng.choice((0, 2, 3, 4, 6, 1, 7, 255))
    elif what == 3:
        body[10 + rng.randrange(3)] = rng.choice((0, 1, 2, 255))
    else:
        return bytes(body[: rng.randrange(14)])
    return bytes(body)


def _pixels(rng: Random, packed: bytes) -> bytes:
    """Other pixels, or as many as to claim too much."""
    try:
        raw = zlib.decompressobj().decompress(packed, 100_000)
    except zlib.error:
        return damaged(rng, packed)
    raw = rng.choice((damaged(rng, raw), raw * 50, raw[: len(raw) // 2], b""))
    packed = zlib.compress(raw, 1) if rng.random() < 0.9 else _zeros(3_000_000)
    return damaged(rng, packed) if rng.random() < 0.3 else packed


@cache
def _zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 1)


def _chunk(rng: Random) -> Chunk:
    text = _zeros(rng.choice((10, 2_000_000, 70_000_000)))
    odd = rng.randbytes(rng.choice((0, 1, 3, 4, 8, 26)))
    return rng.choice(
        (
            (b"zTXt", b"key\0\0" + text),
            (b"iTXt", b"key\0\x01\0\0\0" + text),
            (b"iCCP", b"name\0\0" + text),
            (b"tEXt", b"key\0" + b"\x1b[31m\xff" * 5),
            (b"tRNS", odd),
            (b"gAMA", odd),
            (b"sBIT", odd),
            (b"pHYs", odd),
            (b"cHRM", odd),
            (b"PLTE", odd),
            (b"eXIf", b"MM\0*" + odd),
            (b"acTL", struct.pack(">LL", number(rng, 32), number(rng, 32))),
            (b"fcTL", struct.pack(">5L", *(number(rng, 32) for _ in range(5))) + odd),
            (b"fdAT", odd),
            (b"IHDR", odd),
        )
    )


def make(rng: Random) -> bytes:
    raw = some(rng, seeds())
    if rng.random() < 0.8:
        chunks, lies = taken_apart(raw), dict[int, int]()
        for _ in often(rng):
            if chunks:
                _mutate(rng, chunks, lies)
        raw = put_together(chunks, lies)
    return damaged(rng, raw) if rng.random() < 0.3 else raw


def run(case: bytes, _folder: Path) -> None:
    read_image_bytes(case, ".png")


def warm_up() -> Iterable[bytes]:
    return (*seeds(), *(put_together(taken_apart(raw)) for raw in seeds()))


KIND = Kind(make, run, warm_up)
