"""A file of decoded images that is mapped into memory: written once, checked when it is opened.

First the pixels, so that they begin at a page; then a JSON text with the shape, what else is known
of the images, and a CRC32 of every 4 MiB of pixels; then 16 bytes with the length and the CRC32 of
that text. A file that is cut short, or of which a byte has changed, is detected.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4 * 1024**2
_MAGIC = b"nasoapx1"
_TRAILER = struct.Struct("<II8s")

Pixels = NDArray[np.uint8]


class DamagedFile(Exception):
    """A file of pixels that is not what was written."""


@dataclass(frozen=True)
class PixelMetadata:
    """What is known of decoded images besides their pixels.

    Args:
        native_resolution: see `ImageDataset`.
        unreadable: index of each image that cannot be read, and why.
    """

    native_resolution: int
    unreadable: dict[int, str]


def map_pixels(file: BinaryIO, shape: Sequence[int], *, shared: bool) -> Pixels:
    """The pixels of an open file, in memory as they are used.

    Args:
        file: open for reading, and for writing where `shared`.
        shape: of the pixels.
        shared: what is written into the array gets into the file; else into this array only.
    """
    access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
    mapped = mmap.mmap(file.fileno(), int(np.prod(shape)), access=access)
    return np.frombuffer(mapped, np.uint8).reshape(shape)


def write_metadata(file: BinaryIO, pixels: Pixels, metadata: PixelMetadata, workers: int) -> None:
    """Complete a file that `pixels` have been written to.

    Raises:
        OSError: the disk is full, or the like.
    """
    text = json.dumps(
        {
            "shape": pixels.shape,
            "native_resolution": metadata.native_resolution,
            "unreadable": list(metadata.unreadable.items()),
            "crc": _checksums(pixels, workers),
        }
    ).encode()
    file.seek(pixels.size)
    file.write(text)
    file.write(_TRAILER.pack(len(text), zlib.crc32(text), _MAGIC))
    file.truncate()
    file.flush()


def read_pixels(path: Path, shape: Sequence[int], workers: int) -> tuple[Pixels, PixelMetadata]:
    """The pixels of a file, mapped into memory, and what is known of them.

    What is written into the array does not get into the file.

    Args:
        path: the file.
        shape: what the pixels' shape should be.
        workers: threads that check.

    Raises:
        DamagedFile: not what was written.
        OSError: no such file, or it cannot be read.
    """
    with path.open("rb") as file:
        num_bytes = int(np.prod(shape))
        try:
            file.seek(num_bytes)
            text, trailer = _split(file.read())
            length, checksum, magic = _TRAILER.unpack(trailer)
            if (length, checksum, magic) != (len(text), zlib.crc32(text), _MAGIC):
                raise DamagedFile(f"{path}: the end is not what was written")
            header = json.loads(text)
            pixels = map_pixels(file, shape, shared=False)
        except (ValueError, struct.error) as error:
            raise DamagedFile(f"{path}: {error}") from None
    if header["shape"] != list(shape) or header["crc"] != _checksums(pixels, workers):
        raise DamagedFile(f"{path}: the pixels are not what was written")
    unreadable = {int(index): str(reason) for index, reason in header["unreadable"]}
    return pixels, PixelMetadata(int(header["native_resolution"]), unreadable)


def _split(end: bytes) -> tuple[bytes, bytes]:
    return end[: -_TRAILER.size], end[-_TRAILER.size :]


def _checksums(pixels: Pixels, workers: int) -> list[int]:
    """CRC32 of every block; zlib lets other threads run meanwhile."""
    flat = pixels.reshape(-1)
    blocks = [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(zlib.crc32, blocks))
