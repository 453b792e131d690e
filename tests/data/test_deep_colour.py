"""Colours of sixteen bits, of which the values use all or fewer."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nasoa.data import load_dataset
from nasoa.data.decode import to_rgb
from nasoa.data.deep_colour import colour_values, is_deep_colour
from nasoa.data.grey_range import WHOLE, GreyRange

Values = NDArray[np.uint16]
ORIENTATION = 6  # rotate by a quarter turn
PNG_TYPES = {2: 4, 3: 2, 4: 6}


def png(values: Values, significant_bits: int = 0) -> bytes:
    """Return a PNG of `(height, width, channels)` values: grey and alpha, RGB or RGBA."""
    height, width, channels = values.shape

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_TYPES[channels], 0, 0, 0)
    stated = chunk(b"sBIT", bytes([significant_bits] * channels)) if significant_bits else b""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), stated, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    )


def tiff(values: Values, order: str = "<", *, packed: bool = False, orientation: int = 1) -> bytes:
    """Return a TIFF of `(height, width, 3 or 4)` values, in either order of bytes."""
    height, width, channels = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    pixels = zlib.compress(pixels) if packed else pixels
    extra = [(338, 4, 1, 2)] if channels == 4 else []  # the fourth channel is alpha
    num_tags = 10 + len(extra)
    bits_at = 8 + 2 + 12 * num_tags + 4
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, bits_at),
        (259, 4, 1, 8 if packed else 1),
        (262, 4, 1, 2),
        (273, 4, 1, bits_at + 2 * channels),
        (274, 4, 1, orientation),
        (277, 4, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(pixels)),
        *extra,
    ]
    listed = b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags)
    begin = b"II*\0" if order == "<" else b"MM\0*"
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    ending = struct.pack(f"{order}I", 0) + bits + pixels
    return begin + struct.pack(f"{order}IH", 8, num_tags) + listed + ending


WRITERS: dict[str, Callable[[Values], bytes]] = {
    "png": png,
    "tiff, little-endian": tiff,
    "tiff, big-endian": lambda values: tiff(values, ">"),
    "tiff, packed": lambda values: tiff(values, packed=True),
    "tiff, big-endian and packed": lambda values: tiff(values, ">", packed=True),
}


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("channels", [3, 4])
def test_all_sixteen_bits_are_read(kind: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, channels)).astype(np.uint16)
    image = opened(WRITERS[kind](values))
    assert is_deep_colour(image)
    assert (colour_values(image) == values).all()


def test_all_bits_of_grey_and_alpha_are_read() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 2)).astype(np.uint16)
    image = opened(png(values))
    assert is_deep_colour(image)
    assert (colour_values(image) == values[..., [0, 0, 0, 1]]).all()


def test_eight_bits_and_loaded_images_are_not_deep() -> None:
    shallow = io.BytesIO()
    Image.new("RGB", (4, 4)).save(shallow, "PNG")
    assert not is_deep_colour(opened(shallow.getvalue()))
    assert not is_deep_colour(Image.new("RGB", (4, 4)))
    loaded = opened(png(np.zeros((4, 4, 3), np.uint16)))
    loaded.load()
    assert not is_deep_colour(loaded)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_range_of_twelve_bits(kind: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (5, 7, 3))
    values = ((levels * 4095 + 254) // 255).astype(np.uint16)
    rgb = to_rgb(opened(WRITERS[kind](values)), GreyRange(0, 4095))
    assert (np.asarray(rgb) == levels).all()


@pytest.mark.parametrize("grey_range", [None, WHOLE])
def test_all_sixteen_bits_are_as_ever(grey_range: GreyRange | None) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    assert (np.asarray(to_rgb(opened(png(values)), grey_range)) == values >> 8).all()


@pytest.mark.parametrize(("opaque", "clear"), [(65535, 0), (4095, 0)])
def test_alpha_has_its_own_number_of_bits(opaque: int, clear: int) -> None:
    values = np.zeros((1, 2, 4), np.uint16)
    values[0, :, 3] = (opaque, clear)
    rgb = np.asarray(to_rgb(opened(png(values)), GreyRange(0, 4095)))
    assert rgb.tolist() == [[[0] * 3, [255] * 3]]


def test_an_orientation_is_kept() -> None:
    values = np.zeros((1, 2, 3), np.uint16)
    values[0, 0] = 4095
    rgb = to_rgb(opened(tiff(values, orientation=ORIENTATION)), GreyRange(0, 4095))
    assert np.asarray(rgb)[..., 0].tolist() == [[255], [0]]


def data_set(root: Path, white: int, significant_bits: int = 0) -> str:
    for name, level in (("dark", 0.2), ("light", 1.0)):
        (root / name).mkdir(parents=True)
        values = np.full((20, 20, 3), white * level, np.uint16)
        for number in range(4):
            (root / name / f"{number}.png").write_bytes(png(values, significant_bits))
    return str(root)


@pytest.mark.parametrize(
    ("white", "significant_bits", "expected", "origin"),
    [
        (4095, 0, GreyRange(0, 4095), "as estimated"),
        (4000, 12, GreyRange(0, 4095), "as the files state"),
        # The standard asks for values that are scaled up to all bits: 12 of 16 are significant.
        (65535, 12, WHOLE, "as estimated"),
        (65535, 0, WHOLE, "as estimated"),
    ],
)
def test_a_data_set_has_one_range(
    tmp_path: Path,
    white: int,
    significant_bits: int,
    expected: GreyRange,
    origin: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = load_dataset(data_set(tmp_path / "x", white, significant_bits), seed=0)
    assert data.grey_range == expected
    assert origin in caplog.text
    splits = (data.train, data.val, data.test)
    levels = {int(v) for s in splits for v in s.images(torch.arange(len(s))).unique()}
    dark, light = sorted(levels)
    assert (dark, light) == pytest.approx((255 * 0.2 * white / expected.white, 255), abs=6)
