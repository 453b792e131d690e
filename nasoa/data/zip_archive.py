"""Image files in a zip, read in place."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.stamps import OpenedFiles
from nasoa.errors import DataError

_ENCRYPTED, _UTF8 = 0x1, 0x800
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_MANY = 0xFFFF  # entries, from which on their number stands elsewhere
# Deflate makes at most 1032 bytes out of one.
_LARGEST_RATIO = 1032


class Entry(NamedTuple):
    """A file in a zip, as the directory at its end tells."""

    name: str
    offset: int
    packed_bytes: int
    num_bytes: int
    checksum: int
    is_deflated: bool


class ZipFiles:
    """See `FileSet`.

    Raises:
        DataError: not a zip, cut short, encrypted, packed by anything but deflate, or with entries
            that `ArchiveGuard` refuses.
    """

    def __init__(self, path: Path, data: str, config: DataConfig) -> None:
        self._path = path
        self._opened = OpenedFiles([path])
        # Some Windows programs write backslashes.
        self._entries = {
            entry.name.replace("\\", "/"): entry for entry in read_directory(path, data, config)
        }
        self.paths = list(self._entries)

    def open(self, path: str) -> IO[bytes]:
        """See `FileSet`.

        Raises:
            zipfile.BadZipFile: the file is not what the directory tells.
        """
        return io.BytesIO(read_entry(self._path, self._entries[path]))

    def stamp(self, paths: Sequence[str]) -> str | None:
        """See `FileSet`. The archive's own: it changes with every file in it."""
        return self._opened.stamp()


def read_directory(path: Path, data: str, config: DataConfig) -> list[Entry]:
    """Return the files of the zip at `path`; for a .npz too, which is one. Nothing is unpacked.

    Raises:
        DataError: see `ZipFiles`.
    """
    guard = ArchiveGuard(data, config)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_number(path, archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        problem = str(error).splitlines()[0]
        raise DataError(
            f"{data} is not a whole {path.suffix.lower() or '.zip'} archive ({problem}): "
            "check that it was copied completely"
        ) from None
    entries = []
    for info in infos:
        if not info.filename:
            raise DataError(f"{data} holds a file without a name: expected names; pack it anew")
        # The name as it stands there: zipfile cuts it at a null byte.
        guard.check(
            _name(info, info.orig_filename),
            info.file_size,
            is_link=stat.S_ISLNK(info.external_attr >> 16),
        )
        if info.is_dir():
            continue
        _check_packing(info, data)
        entries.append(
            Entry(
                _name(info, info.filename),
                info.header_offset,
                info.compress_size,
                info.file_size,
                info.CRC,
                info.compress_type == zipfile.ZIP_DEFLATED,
            )
        )
    return entries


def read_entry(path: Path, entry: Entry) -> bytes:
    """Return a file of the zip at `path`; no more is unpacked than its directory tells.

    Raises:
        zipfile.BadZipFile: size or checksum are not what the directory tells.
    """
    with path.open("rb") as file:
        file.seek(entry.offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile(f"no file at byte {entry.offset} of the archive")
        *_fields, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        file.seek(name_bytes + extra_bytes, os.SEEK_CUR)
        packed = file.read(min(entry.packed_bytes, os.fstat(file.fileno()).st_size))
    content, is_whole = packed, True
    if entry.is_deflated:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflating.decompress(packed, entry.num_bytes + 1)
        except zlib.error as error:
            raise zipfile.BadZipFile(f"its packed bytes are damaged ({error})") from None
        is_whole = inflating.eof and not inflating.unused_data
    if not is_whole or len(content) != entry.num_bytes:
        raise zipfile.BadZipFile(f"it does not have the {entry.num_bytes} bytes that it claims")
    if zlib.crc32(content) != entry.checksum:
        raise zipfile.BadZipFile("its checksum is wrong")
    return content


def _check_packing(info: zipfile.ZipInfo, data: str) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise DataError(f"{data} is encrypted: expected a zip without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{info.filename!r} in {data} is packed by method {info.compress_type}: expected "
            "files that are stored or deflated, as in every usual zip; pack it anew"
        )
    if info.file_size > _LARGEST_RATIO * info.compress_size + _LARGEST_RATIO:
        raise DataError(
            f"{info.filename!r} in {data} claims {info.file_size} bytes out of "
            f"{info.compress_size}, which cannot be; get the archive again"
        )


def _check_number(path: Path, archive: zipfile.ZipFile) -> None:
    """Entries may be missing although the directory reads well; its end tells how many there are.

    Raises:
        zipfile.BadZipFile: another number than there is.
    """
    with path.open("rb") as file:
        file.seek(-_END.size - len(archive.comment), os.SEEK_END)
        magic, *_disks, total, _bytes, _start, _comment = _END.unpack(file.read(_END.size))
    count = len(archive.infolist())
    if magic == b"PK\x05\x06" and total != _MANY and total != count % (_MANY + 1):
        raise zipfile.BadZipFile(f"{count} files instead of the {total} that its end tells")


def _name(info: zipfile.ZipInfo, name: str) -> str:
    """A name in the encoding that it has: many programs write UTF-8 and do not mark it."""
    if info.flag_bits & _UTF8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
