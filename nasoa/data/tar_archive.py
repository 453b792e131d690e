"""Read the files of a tar in place; a compressed tar is first decompressed to a temporary file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.stamps import OpenedFiles
from nasoa.data.tar_members import tar_members
from nasoa.errors import DataError
from nasoa.scratch import ScratchFolder

_CHUNK = 1 << 20
_COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


class TarFiles:
    """The files of a tar archive; see `FileSet`.

    Args:
        path: path of the archive.
        data: DATA, for messages.
        config: limits on the content.

    Raises:
        DataError: the file is not a tar, is truncated, or has entries that `ArchiveGuard` refuses.
    """

    def __init__(self, path: Path, data: str, config: DataConfig) -> None:
        self._data = data
        self._guard = ArchiveGuard(data, config)
        self._scratch: ScratchFolder | None = None
        self._opened = OpenedFiles([path])
        try:
            self._path = self._decompressed(path)
            self._places = self._read_places()
        except (
            *(tarfile.TarError, EOFError, OSError, MemoryError),
            *(lzma.LZMAError, zlib.error),
        ) as error:
            problem = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(
                f"{data} is not a complete tar archive ({problem}): "
                "check that it was copied completely"
            ) from None
        self.paths = list(self._places)

    def open(self, path: str) -> IO[bytes]:
        """See `FileSet`."""
        offset, size = self._places[path]
        with self._path.open("rb") as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def stamp(self, paths: Sequence[str]) -> str | None:
        """See `FileSet`. It is the stamp of the archive, which changes with every file in it."""
        return self._opened.stamp()

    def _decompressed(self, path: Path) -> Path:
        """Return an uncompressed tar, which can be read at any position: `path` or a copy."""
        with path.open("rb") as file:
            magic = file.read(6)
        opener = next((_COMPRESSED[m] for m in _COMPRESSED if magic.startswith(m)), None)
        if opener is None:
            return path
        self._scratch = ScratchFolder()
        copy = self._scratch.path / "data.tar"
        written = 0
        began_s, packed_bytes = time.monotonic(), path.stat().st_size
        with (
            path.open("rb") as packed,
            opener(packed) as source,
            _written(copy, self._data) as target,
        ):
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                self._guard.check_total(written)
                self._guard.check_time(packed.tell() / packed_bytes, began_s)
                target(chunk)
        return copy

    def _read_places(self) -> dict[str, tuple[int, int]]:
        """Return the offset and the size of each file in bytes, by path."""
        return {
            member.name.removeprefix("./"): (member.offset_data, member.size)
            for member in tar_members(self._path, self._guard)
            if member.isfile()
        }


@contextmanager
def _written(path: Path, data: str) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes to a new file.

    Raises:
        DataError: the file cannot be written, which is not an error of the archive.
    """

    def write(chunk: bytes) -> None:
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise DataError(
                f"{data} cannot be unpacked into {path.parent}: {error.strerror or error}; free "
                "some space, or set TMPDIR to another folder"
            ) from None

    with path.open("wb") as file:
        yield write
