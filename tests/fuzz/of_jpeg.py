"""JPEG files, whose segments tell what is not so."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image

from tests.fuzz.images import noise, read_image_bytes, saved
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, number, often, reordered, some

# A marker and what follows it, up to the next: for the start of a scan, its data too.
Segment = tuple[int, bytes]
SOS, SOF0 = 0xDA, 0xC0
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole files of several kinds."""
    exif = Image.Exif()
    exif[274] = 6
    exif[271] = "maker"
    return (
        saved(noise(), "JPEG"),
        saved(noise(), "JPEG", progressive=True),
        saved(noise("L"), "JPEG"),
        saved(noise("CMYK"), "JPEG"),
        saved(noise(), "JPEG", exif=exif, dpi=(72, 72), comment=b"a comment"),
        saved(noise(size=(600, 500)), "JPEG", quality=5, subsampling=2),
        saved(noise(), "JPEG", restart_marker_blocks=1, icc_profile=b"x" * 200),
        saved(noise(), "MPO", save_all=True, append_images=[noise()]),
    )


def taken_apart(raw: bytes) -> list[Segment]:
    """The segments of a whole file."""
    segments: list[Segment] = []
    at = 2
    while at + 2 <= len(raw):
        marker = raw[at + 1]
        if marker in (0xD8, 0xD9):
            segments.append((marker, b""))
            at += 2
            continue
        length = struct.unpack(">H", raw[at + 2 : at + 4])[0]
        end = at + 2 + length
        if marker == SOS:
            while end + 1 < len(raw) and not (raw[end] == 0xFF and raw[end + 1] not in _IN_SCAN):
                end += 1
        segments.append((marker, raw[at + 2 : end]))
        at = end
    return segments


_IN_SCAN = (0x00, *range(0xD0, 0xD8))


def put_together(segments: list[Segment]) -> bytes:
    """The file of segments."""
    return b"\xff\xd8" + b"".join(b"\xff" + bytes([marker]) + body for marker, body in segments)


def _mutate(rng: Random, segments: list[Segment]) -> None:
    at = rng.randrange(len(segments))
    frames = [i for i, (marker, _body) in enumerate(segments) if marker in _FRAMES]
    choice = rng.randrange(9)
    if choice <= 2 and frames:
        at = some(rng, frames)
        marker, body = segments[at]
        segments[at] = (marker, _frame(rng, bytearray(body)))
    elif choice == 3 and frames:
        at = some(rng, frames)
        segments[at] = (some(rng, _FRAMES), segments[at][1])
    elif choice == 4:
        marker, body = segments[at]
        length = number(rng, 16).to_bytes(2, "big")
        segments[at] = (marker, length + body[2:])
    elif choice == 5:
        reordered(rng, segments)
    elif choice == 6:
        segments.insert(at, _segment(rng))
    elif choice == 7:
        segments[at] = (
            rng.choice((0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xD9)),
            segments[at][1],
        )
    else:
        marker, body = segments[at]
        segments[at] = (marker, body[:2] + damaged(rng, body[2:]))


def _frame(rng: Random, body: bytearray) -> bytes:
    """A frame with another precision, size, number of components, or sampling."""
    if len(body) < 9:
        return bytes(body)
    what = rng.randrange(5)
    if what == 0:
        body[2] = rng.choice((0, 1, 8, 12, 16, 255))
    elif what <= 2:
        for at in rng.choice(((3,), (5,), (3, 5))):
            side = rng.choice((0, 1, 8, 1000, 16384, 65500, 65535, number(rng, 16)))
            body[at : at + 2] = side.to_bytes(2, "big")
    elif what == 3:
        body[7] = rng.choice((0, 1, 2, 3, 4, 5, 255))
    else:
        place = 8 + 3 * rng.randrange(max(1, (len(body) - 8) // 3)) + rng.randrange(3)
        if place < len(body):
            body[place] = rng.choice((0, 0x11, 0x22, 0x44, 0x14, 0xFF, 3, 4))
    return bytes(body)


def _segment(rng: Random) -> Segment:
    marker = rng.choice((0xE0, 0xE1, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xC4, 0xDB, 0xDD))
    body = rng.choice(
        (
            rng.randbytes(20),
            b"Exif\0\0" + _exif(rng),
            b"ICC_PROFILE\0" + rng.randbytes(2) + rng.randbytes(140),
            b"MPF\0" + _exif(rng),
            b"Adobe\0\x64\0\0\0\0" + bytes([rng.randrange(4)]),
            b"Photoshop 3.0\0" + b"8BIM" + rng.randbytes(12),
            b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='99'/>",
            b"JFIF\0\1\2" + rng.randbytes(7),
        )
    )
    return marker, (len(body) + 2).to_bytes(2, "big") + body


def _exif(rng: Random) -> bytes:
    """A small directory of tags, some of which are too large or point anywhere."""
    order = rng.choice("<>")
    tags = []
    for _ in often(rng, 3.0):
        tag = rng.choice((0x112, 0x11A, 0x8769, 0x8825, 0xA005, 0x103, 0xB001, number(rng, 16)))
        kind, count = (
            rng.choice((1, 2, 3, 4, 5, 7, 12, 13, 99)),
            rng.choice((1, 1, number(rng, 32))),
        )
        tags.append(struct.pack(f"{order}HHLL", tag, kind, count, number(rng, 32)))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        f"{order}L", rng.choice((8, 8, 0, 2))
    )
    count = rng.choice((len(tags), len(tags), number(rng, 16)))
    return head + struct.pack(f"{order}H", count) + b"".join(tags) + struct.pack(f"{order}L", 8)


def make(rng: Random) -> bytes:
    raw = some(rng, seeds())
    if rng.random() < 0.7:
        segments = taken_apart(raw)
        for _ in often(rng):
            if segments:
                _mutate(rng, segments)
        raw = put_together(segments)
    return damaged(rng, raw) if rng.random() < 0.5 else raw


def run(case: bytes, _folder: Path) -> None:
    read_image_bytes(case, ".jpg")


def warm_up() -> Iterable[bytes]:
    return (*seeds(), *(put_together(taken_apart(raw)) for raw in seeds()[:-1]))


KIND = Kind(make, run, warm_up)
