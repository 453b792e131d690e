"""The other formats of images, and files of one format that are named as another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

from PIL import features

from nasoa.data.decode import FORMATS
from tests.fuzz.images import noise, read_image_bytes, saved
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, number, some

_HEADER = 64  # bytes in which most fields lie


@cache
def seeds() -> tuple[tuple[str, bytes], ...]:
    """Whole files, and the suffixes they have."""
    found = [
        (".bmp", saved(noise(), "BMP")),
        (".bmp", saved(noise("P"), "BMP")),
        (".bmp", saved(noise("1"), "BMP")),
        (".gif", saved(noise("P"), "GIF")),
        (".gif", saved(noise(), "GIF", save_all=True, append_images=[noise("L")], loop=0)),
        (".ppm", saved(noise(), "PPM")),
        (".pgm", saved(noise("L"), "PPM")),
        (".pgm", saved(noise("I"), "PPM")),
        (".ppm", b"P3\n3 2\n255\n" + b"255 0 0 " * 6),
        (".pgm", b"P2 # comment\n3 2 4095\n" + b"4095 0 17 " * 2),
        (".pbm", b"P1\n3 2\n101 010\n"),
        (".pfm", saved(noise("F"), "PPM")),
        (".tga", saved(noise(), "TGA")),
        (".tga", saved(noise("P"), "TGA", compression="tga_rle")),
        (".dib", saved(noise(), "DIB")),
    ]
    if features.check("webp"):
        found.append((".webp", saved(noise(), "WEBP")))
        found.append((".webp", saved(noise("RGBA"), "WEBP", lossless=True, exif=b"Exif\0\0MM\0*")))
    if features.check("jpg_2000"):
        found.append((".jp2", saved(noise(), "JPEG2000")))
        found.append((".j2k", saved(noise("L"), "JPEG2000", no_jp2=True)))
    if "AVIF" in FORMATS:
        found.append((".avif", saved(noise(), "AVIF")))
    return tuple(found)


_FOREIGN = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(run) (w) file\n%%EOF\n",
    b"GIF89a",
    b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    b"\0\0\0\x1cftypavif",
    b"\0\0\1\0\1\0\x10\x10",
    b"8BPS\0\1" + bytes(6) + b"\0\3",
    b"FPIX" * 20,
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"%PDF-1.4\n",
    b"SIMPLE  =                    T",
    b"\0\0\2\0" + bytes(20),
    b"P6\n99999999 99999999\n255\n",
    b"P5\n65536 65536\n65535\n" + bytes(100),
    b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n",
    b"Pf\n4 4\nnan\n" + bytes(64),
    b"Pf\n4 4\n-1e999\n" + b"\xff" * 64,
    b"P6\n" + b"9" * 5000 + b" 1\n255\n",
    b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\xff\xff\xff\x7f\xff\xff\xff\x7f\1\0\x18\0",
)


def make(rng: Random) -> tuple[str, bytes]:
    suffix, raw = some(rng, seeds())
    choice = rng.random()
    if choice < 0.1:
        raw = some(rng, _FOREIGN)
    elif choice < 0.5:
        head = bytearray(raw[:_HEADER])
        size = rng.choice((1, 2, 4))
        at = rng.randrange(max(1, len(head) - size))
        order = rng.choice(("little", "big"))
        head[at : at + size] = number(rng, 8 * size).to_bytes(size, order)
        raw = bytes(head) + raw[_HEADER:]
    if choice > 0.4:
        raw = damaged(rng, raw)
    if rng.random() < 0.1:
        suffix = rng.choice((".jpg", ".png", "", ".tif", ".heic", ".eps"))
    return suffix, raw


def run(case: tuple[str, bytes], _folder: Path) -> None:
    suffix, raw = case
    read_image_bytes(raw, suffix)


def warm_up() -> Iterable[tuple[str, bytes]]:
    return seeds()


KIND = Kind(make, run, warm_up)
