"""TIFF files, whose directories of tags tell what is not so."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from tests.fuzz.images import noise, read_image_bytes, saved
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, number, often, some

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIPS, ORIENTATION, SAMPLES, ROWS, COUNTS = 273, 274, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_COUNTS = 284, 317, 322, 323, 324, 325
EXTRA, FORMAT, LEAST, MOST, COLOURS, JPEG_TABLES = 338, 339, 280, 281, 320, 347
_CODES = {1: "B", 2: "B", 3: "H", 4: "L", 5: "L", 6: "b", 7: "B", 8: "h", 9: "l", 11: "f", 12: "d",
          13: "L", 16: "Q"}  # fmt: skip


@dataclass
class Tag:
    """A tag: its type, and its values, or where they are said to be."""

    kind: int
    values: tuple[float, ...]
    count: int | None = None
    offset: int | None = None


def written(tags: dict[int, Tag], data: bytes, order: str = "<", following: int = 0) -> bytes:
    """A file of one directory, after the pixels."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", 8 + len(data)) + data
    entries, beyond = b"", b""
    start = len(out) + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        code = _CODES.get(value.kind, "B")
        raw = b"".join(_packed(order, code, one) for one in value.values)
        count = len(value.values) if value.count is None else value.count
        if value.offset is not None:
            where = struct.pack(f"{order}L", value.offset & 0xFFFFFFFF)
        elif len(raw) <= 4:
            where = raw.ljust(4, b"\0")
        else:
            where = struct.pack(f"{order}L", start + len(beyond))
            beyond += raw
        entries += struct.pack(f"{order}HHL", tag & 0xFFFF, value.kind & 0xFFFF, count & 0xFFFFFFFF)
        entries += where
    head = struct.pack(f"{order}H", len(tags) & 0xFFFF)
    return out + head + entries + struct.pack(f"{order}L", following) + beyond


def _packed(order: str, code: str, value: float) -> bytes:
    if code in "fd":
        return struct.pack(order + code, value)
    size = struct.calcsize(order + code)
    whole = int(value if math.isfinite(value) else -1) & ((1 << 8 * size) - 1)
    return whole.to_bytes(size, "little" if order == "<" else "big")


def plain(bits: int = 8, samples: int = 3, form: int = 1) -> tuple[dict[int, Tag], bytes]:
    """An image without compression: tags, and pixels that begin at byte 8."""
    width, height = 12, 9
    data = np.random.default_rng(0).integers(0, 256, width * height * samples * bits // 8, np.uint8)
    if form == 3:
        data = np.random.default_rng(0).random(width * height * samples, np.float32).view(np.uint8)
    tags = {
        WIDTH: Tag(3, (width,)),
        HEIGHT: Tag(3, (height,)),
        BITS: Tag(3, (bits,) * samples),
        COMPRESSION: Tag(3, (1,)),
        PHOTOMETRIC: Tag(3, (2 if samples >= 3 else 1,)),
        STRIPS: Tag(4, (8,)),
        SAMPLES: Tag(3, (samples,)),
        ROWS: Tag(3, (height,)),
        COUNTS: Tag(4, (len(data),)),
        FORMAT: Tag(3, (form,) * samples),
    }
    return tags, data.tobytes()


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole files as Pillow writes them."""
    found = [saved(noise(), "TIFF", compression=c) for c in _WRITTEN]
    modes = ("1", "L", "P", "RGBA", "CMYK", "I;16", "I", "F", "LA", "YCbCr", "LAB")
    found += [saved(_in_mode(mode), "TIFF") for mode in modes]
    found.append(saved(noise("1"), "TIFF", compression="group4"))
    found.append(saved(noise(), "TIFF", save_all=True, append_images=[noise("L")]))
    found.append(saved(noise(), "TIFF", big_tiff=True, tiffinfo={274: 8, 281: 200}))
    return tuple(found)


_WRITTEN = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")


def _in_mode(mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.new("LAB", (9, 7), (50, 10, 200))
    return noise(mode)


_SIZES = (0, 1, 2, 9, 12, 100, 1000, 16384, 2**15, 2**16, 2**20, 2**31 - 1, 2**32 - 1)


def _mutate(rng: Random, tags: dict[int, Tag]) -> None:
    tag = some(rng, sorted(tags)) if tags else WIDTH
    choice = rng.randrange(9)
    if choice <= 1:
        for side in rng.choice(((WIDTH,), (HEIGHT,), (WIDTH, HEIGHT), (ROWS,))):
            tags[side] = Tag(rng.choice((3, 4)), (some(rng, _SIZES),))
    elif choice == 2:
        codes = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34925, 50000, 50001, 0, 65535)
        tags[COMPRESSION] = Tag(3, (some(rng, codes),))
    elif choice == 3:
        tags[BITS] = Tag(
            3, (rng.choice((0, 1, 2, 4, 8, 12, 16, 24, 32, 64, 65535)),) * rng.choice((1, 3, 4))
        )
        tags[FORMAT] = Tag(3, (rng.choice((1, 2, 3, 4, 5, 0)),) * rng.choice((1, 3)))
    elif choice == 4:
        tags[SAMPLES] = Tag(3, (rng.choice((0, 1, 2, 3, 4, 5, 6, 255, 65535)),))
        tags[PHOTOMETRIC] = Tag(3, (rng.choice((0, 1, 2, 3, 4, 5, 6, 8, 32844, 65535)),))
        tags[PLANAR] = Tag(3, (rng.choice((0, 1, 2, 3)),))
    elif choice == 5:
        values = (number(rng, 32),) * rng.choice((1, 2, 3, 500))
        tags[rng.choice((STRIPS, COUNTS, TILES, TILE_COUNTS))] = Tag(4, values)
    elif choice == 6:
        found = tags.get(tag, Tag(3, (1,)))
        found.kind = rng.choice((0, 1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 16, 17, 99, 65535))
        if rng.random() < 0.5:
            found.count = number(rng, 32)
        if rng.random() < 0.4:
            found.offset = number(rng, 32)
        tags[tag] = found
    elif choice == 7:
        tags.pop(tag, None)
        if rng.random() < 0.4:
            tags[TILE_WIDTH] = Tag(4, (rng.choice((0, 16, 17, 64, 2**16, 2**31)),))
            tags[TILE_HEIGHT] = Tag(4, (rng.choice((0, 16, 64, 2**16)),))
            tags[TILES], tags[TILE_COUNTS] = Tag(4, (8,)), Tag(4, (rng.choice((100, 2**31)),))
    else:
        _other(rng, tags)


def _other(rng: Random, tags: dict[int, Tag]) -> None:
    values = (rng.choice((0, 1, 255, 4095, 65535)),) * rng.choice((1, 3))
    tags[rng.choice((LEAST, MOST, 340, 341))] = Tag(rng.choice((2, 3, 11, 12)), values)
    if rng.random() < 0.3:
        for kind in (LEAST, MOST):
            value = rng.choice((float("nan"), float("inf"), float("-inf"), 1e300, 0.5, 5.0))
            tags[kind] = Tag(12, (value,))
    if rng.random() < 0.4:
        tags[rng.choice((ORIENTATION, PREDICTOR, EXTRA))] = Tag(
            3, (rng.choice((0, 1, 2, 3, 8, 9)),)
        )
    if rng.random() < 0.3:
        tags[rng.choice((0x8769, 0x8825, 330, 34377, 700, 34675, COLOURS, JPEG_TABLES))] = Tag(
            rng.choice((1, 3, 4, 7)), (number(rng, 32),) * rng.choice((1, 4, 768))
        )


def make(rng: Random) -> bytes:
    if rng.random() < 0.4:
        raw = damaged(rng, some(rng, seeds()))
        return damaged(rng, raw) if rng.random() < 0.3 else raw
    forms = ((8, 3, 1), (8, 1, 1), (16, 1, 1), (32, 1, 3), (32, 1, 2), (16, 3, 1), (8, 4, 1))
    tags, data = plain(*some(rng, forms))
    for _ in often(rng):
        _mutate(rng, tags)
    following = rng.choice((0, 0, 0, 8, 8 + len(data), number(rng, 32)))
    raw = written(tags, data, rng.choice("<<>"), following)
    return damaged(rng, raw) if rng.random() < 0.15 else raw


def run(case: bytes, _folder: Path) -> None:
    read_image_bytes(case, ".tif")


def warm_up() -> Iterable[bytes]:
    return (*seeds(), written(*plain()), written(*plain(16, 1)), written(*plain(32, 1, 3), ">"))


KIND = Kind(make, run, warm_up)
