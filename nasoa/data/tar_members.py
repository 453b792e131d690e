"""Read the members of a tar that may be damaged, truncated or malicious."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nasoa.data.archive_guard import ArchiveGuard
from nasoa.errors import NasoaError

_BLOCK = 512
_CHUNK = 1 << 20
# tarfile reads long names and extended headers in one piece, whatever size they claim to have.
_LARGEST_HEADER = 1 << 20


def tar_members(path: Path, guard: ArchiveGuard) -> Iterator[tarfile.TarInfo]:
    """Yield the files and folders of an uncompressed tar, and check that it is complete.

    tarfile takes a header that is damaged or zero for the end of the archive. So the last member
    must be followed by zeros, and by nothing else, up to the end of the file.

    Args:
        path: path of the tar.
        guard: guard that checks each member.

    Raises:
        DataError: `guard` refuses a member.
        tarfile.TarError: the file is not a complete tar.
    """
    total = path.stat().st_size
    end = 0
    with path.open("rb") as file:
        try:
            with tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:
                for member in archive:
                    is_link = not (member.isfile() or member.isdir()) or member.issparse()
                    guard.check(member.name, member.size, is_link=is_link)
                    end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                    if not member.offset < end <= total:
                        raise tarfile.ReadError(f"{member.name!r} is cut short")
                    yield member
        except (NasoaError, tarfile.TarError, OSError):
            raise
        except Exception as error:  # tarfile raises nearly anything on damaged headers.
            raise tarfile.ReadError(str(error) or type(error).__name__) from None
        _check_end(file, end, guard)


class _Bounded(io.RawIOBase):
    """A file that refuses reads of a negative or implausibly large size."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _check_end(file: BinaryIO, end: int, guard: ArchiveGuard) -> None:
    """Check that at least one block of zeros follows `end`, and nothing else.

    Raises:
        tarfile.ReadError: that is not so.
    """
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise tarfile.ReadError(f"no entry and no end at byte {end}")
    place = end + _BLOCK
    while (begin := _data_from(file, place)) is not None:
        file.seek(begin)
        chunk = file.read(_CHUNK)
        guard.check_time()
        if not chunk:
            return
        if chunk.count(0) < len(chunk):
            raise tarfile.ReadError(f"more data after its end at byte {end}")
        place = begin + len(chunk)


def _data_from(file: BinaryIO, place: int) -> int | None:
    """Return where data begins from `place` on; None if only a hole, which is zeros, follows."""
    if not hasattr(os, "SEEK_DATA"):
        return place
    try:
        return os.lseek(file.fileno(), place, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        return place
