"""A cache of decoded images between tasks: files of pixels in a folder of limited size.

The folder is `images` in NASOA_CACHE_DIR, else in XDG_CACHE_HOME/nasoa, else in ~/.cache/nasoa. It
holds at most NASOA_CACHE_BYTES (4 GiB by default; 0 turns the cache off) and at most a tenth of the
free disk space; the least recently used files are removed first. Files are written under another
name and renamed when they are complete, so any number of processes can use the folder. A task does
not fail if the folder cannot be written.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nasoa.data.bounded_folder import make_room
from nasoa.data.pixel_file import (
    DamagedFile,
    PixelMetadata,
    Pixels,
    map_pixels,
    read_pixels,
    write_metadata,
)
from nasoa.errors import InvalidInput
from nasoa.home_path import expanded
from nasoa.partial_file import PRIVATE, partial_file, reserve
from nasoa.whole_number import whole_number

DEFAULT_BYTES = 4 * 1024**3
_SUFFIX = ".pixels"
_PIECE_BYTES = 4 * 1024**2  # written at a time
_METADATA_BYTES = 1024**2  # space reserved for the metadata after the pixels

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PixelCache:
    """A folder of decoded images.

    Args:
        folder: the folder; it is created if necessary.
        max_bytes: largest size of all files in it; positive.
        workers: number of threads that compute checksums.
    """

    folder: Path
    max_bytes: int
    workers: int

    def get(self, key: str, shape: Sequence[int]) -> tuple[Pixels, PixelMetadata] | None:
        """Return the images stored under a key, mapped into memory, or None if there are none.

        A damaged file is removed.

        Args:
            key: key that the images were stored under.
            shape: expected shape of the pixels.
        """
        path = self._path(key)
        try:
            stored = read_pixels(path, shape, self.workers)
        except OSError as error:
            logger.debug("no decoded images in %s: %s", self.folder, error)
            return None
        except DamagedFile as error:
            logger.info("cached images are damaged and will be decoded again: %s", error)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # the cache may be read-only
            os.utime(path)
        return stored

    def put(
        self, key: str, pixels: Pixels, metadata: PixelMetadata, most_s: float = math.inf
    ) -> None:
        """Store decoded images, if there is enough space and the folder can be written.

        Args:
            key: key to store the images under.
            pixels: pixels of all images.
            metadata: metadata of the images.
            most_s: time after which writing to a slow disk is abandoned, in seconds.
        """
        ends_s = time.monotonic() + most_s
        flat = pixels.reshape(-1).data
        try:
            with self._partial(pixels.nbytes) as file:
                for start in range(0, len(flat), _PIECE_BYTES):
                    file.write(flat[start : start + _PIECE_BYTES])
                    if time.monotonic() > ends_s:
                        raise OSError(f"the disk takes more than {most_s:.1f} s to write them")
                write_metadata(file, pixels, metadata, self.workers)
                os.replace(file.name, self._path(key))
        except OSError as error:
            logger.info("decoded images are not stored in %s: %s", self.folder, error)

    @contextmanager
    def mapped(self, shape: Sequence[int]) -> Iterator[MappedPixels]:
        """Yield a new file to decode into; it is removed after the block unless it is finished.

        Args:
            shape: shape of the pixels.

        Raises:
            OSError: the file would exceed the limit of the cache, or the folder cannot be written.
        """
        num_bytes = 1
        for length in shape:
            num_bytes *= length
        with self._partial(num_bytes) as file:
            reserve(file, num_bytes)
            yield MappedPixels(self, file, map_pixels(file, shape, shared=True))

    def _path(self, key: str) -> Path:
        return self.folder / (key + _SUFFIX)

    @contextmanager
    def _partial(self, num_bytes: int) -> Iterator[BinaryIO]:
        """Yield a new file with a temporary name; it is removed unless the block renames it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(
            self.folder, num_bytes + _METADATA_BYTES, suffix=_SUFFIX, max_bytes=self.max_bytes
        )
        with partial_file(self.folder, PRIVATE) as file:
            yield file


@dataclass(frozen=True)
class MappedPixels:
    """A file of the cache that images are being decoded into.

    `pixels` remains usable after the file is removed.
    """

    cache: PixelCache
    file: BinaryIO
    pixels: Pixels

    def finish(self, key: str, metadata: PixelMetadata) -> None:
        """Store the decoded images under a key; log it if that fails."""
        try:
            write_metadata(self.file, self.pixels, metadata, self.cache.workers)
            os.replace(self.file.name, self.cache._path(key))
        except OSError as error:
            logger.info("decoded images are not stored in %s: %s", self.cache.folder, error)

    def unshared(self) -> Pixels:
        """Return the pixels as an array; changes to it are not written to the file."""
        return map_pixels(self.file, self.pixels.shape, shared=False)


def open_cache(workers: int) -> PixelCache | None:
    """Return the user's cache of decoded images, or None if it is turned off.

    Args:
        workers: number of threads that compute checksums.

    Raises:
        InvalidInput: NASOA_CACHE_BYTES is not a whole number.
    """
    text = os.environ.get("NASOA_CACHE_BYTES") or str(DEFAULT_BYTES)
    max_bytes = whole_number(text, sys.maxsize)
    if max_bytes is None:
        raise InvalidInput(
            f"expected NASOA_CACHE_BYTES to be a whole number of bytes, got {text!r}; "
            f"for example {DEFAULT_BYTES}, or 0 for no cache"
        )
    try:
        folder = cache_folder()
    except RuntimeError:  # no home
        return None
    return PixelCache(folder / "images", max_bytes, workers) if max_bytes else None


def cache_folder() -> Path:
    """Return nasoa's cache folder, whose content can always be recreated.

    Raises:
        RuntimeError: the user has no home folder.
    """
    if own := os.environ.get("NASOA_CACHE_DIR"):
        return Path(expanded(own))
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "nasoa"
    return Path.home() / ".cache" / "nasoa"
