"""A file of decoded images that is mapped into memory: written once, checked when it is opened.

It begins with the pixels, so that they are aligned to a page. A JSON text follows with the shape,
the metadata, and a CRC32 of every 4 MiB of pixels. The last 16 bytes hold the length and the CRC32
of that text, and a magic number. Truncation and any changed byte are detected.
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
    """A file of pixels that has changed since it was written."""


@dataclass(frozen=True)
class PixelMetadata:
    """Metadata of decoded images.

    Args:
        image_resolution: see `ImageDataset`.
        unreadable: index of each unreadable image, and the reason.
    """

    image_resolution: int
    unreadable: dict[int, str]


def map_pixels(file: BinaryIO, shape: Sequence[int], *, shared: bool) -> Pixels:
    """Map the pixels of an open file into memory.

    Args:
        file: file that is open for reading and, if `shared`, for writing.
        shape: shape of the pixels.
        shared: whether changes to the array are written to the file.
    """
    access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
    mapped = mmap.mmap(file.fileno(), int(np.prod(shape)), access=access)
    return np.frombuffer(mapped, np.uint8).reshape(shape)


def write_metadata(file: BinaryIO, pixels: Pixels, metadata: PixelMetadata, workers: int) -> None:
    """Complete a file that contains the pixels by adding the metadata and the checksums.

    Args:
        file: the file.
        pixels: its pixels.
        metadata: metadata of the images.
        workers: number of threads that compute checksums.

    Raises:
        OSError: the file cannot be written, for example because the disk is full.
    """
    text = json.dumps(
        {
            "shape": pixels.shape,
            "image_resolution": metadata.image_resolution,
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
    """Return the pixels of a file, mapped into memory, and their metadata.

    Changes to the array are not written to the file.

    Args:
        path: path of the file.
        shape: expected shape of the pixels.
        workers: number of threads that compute checksums.

    Raises:
        DamagedFile: the file has changed since it was written, or has another shape.
        OSError: the file does not exist or cannot be read.
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
    return pixels, PixelMetadata(int(header["image_resolution"]), unreadable)


def _split(end: bytes) -> tuple[bytes, bytes]:
    return end[: -_TRAILER.size], end[-_TRAILER.size :]


def _checksums(pixels: Pixels, workers: int) -> list[int]:
    """Return the CRC32 of every block. zlib releases the interpreter lock, so threads help."""
    flat = pixels.reshape(-1)
    blocks = [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(zlib.crc32, blocks))
