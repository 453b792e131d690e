"""Write PNG files with colours of sixteen bits, for which Pillow has no mode."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # colour types
_BITS = 16


def deep_png(values: NDArray[np.uint16]) -> bytes:
    """Encode `(h, w)` greys or `(h, w, 3)` colours of sixteen bits as a PNG file."""
    height, width = values.shape[:2]
    colour_type = _RGB if values.ndim == 3 else _GREY
    rows = np.ascontiguousarray(values, ">u2").reshape(height, -1).view(np.uint8)
    unfiltered = np.pad(rows, ((0, 0), (1, 0)))  # each row begins with the number of its filter
    header = struct.pack(">IIBBBBB", width, height, _BITS, colour_type, 0, 0, 0)
    pixels = zlib.compress(unfiltered.tobytes(), 1)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", pixels), _chunk(b"IEND", b""))
    return _SIGNATURE + b"".join(chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
