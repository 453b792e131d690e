"""The members of a tar that may be damaged, cut short, or made to do harm."""

from __future__ import annotations

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
# Long names and extended headers are read at once, whatever size they claim.
_LARGEST_HEADER = 1 << 20


def tar_members(path: Path, guard: ArchiveGuard) -> Iterator[tarfile.TarInfo]:
    """Give the files and folders of an uncompressed tar, which is then known to be whole.

    Where a header is damaged or zero, tarfile takes it for the end; so what follows the last
    member has to be zeros up to the end of the file, and some of them.

    Raises:
        DataError: a member that `guard` refuses.
        tarfile.TarError: not a whole tar.
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
    """A file that refuses to read headers of a size that none has, or of a negative one."""

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
    """Make sure that there are zeros at `end`, and nothing else after it.

    Raises:
        tarfile.ReadError: there are not.
    """
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise tarfile.ReadError(f"no entry and no end at byte {end}")
    while chunk := file.read(_CHUNK):
        guard.check_time()
        if chunk.count(0) < len(chunk):
            raise tarfile.ReadError(f"more after its end at byte {end}")
