"""Read the files of a zip in place."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.reading_limit import in_time
from nasoa.data.stamps import OpenedFiles
from nasoa.errors import DataError

_ENCRYPTED, _UTF8 = 0x1, 0x800
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_MANY = 0xFFFF  # from this number of entries on, the number is stored elsewhere (zip64)
# Deflate expands a byte to at most 1032 bytes.
_LARGEST_RATIO = 1032


class Entry(NamedTuple):
    """A file in a zip, as described by the directory at its end."""

    name: str
    offset: int
    packed_bytes: int
    num_bytes: int
    checksum: int
    is_deflated: bool


class ZipFiles:
    """The files of a zip archive; see `FileSet`.

    Args:
        path: path of the archive.
        data: DATA, for messages.
        config: limits on the content.

    Raises:
        DataError: the file is not a zip, is truncated, encrypted or compressed by anything but
            deflate, or has entries that `ArchiveGuard` refuses.
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
            zipfile.BadZipFile: the file does not match the directory.
        """
        return io.BytesIO(read_entry(self._path, self._entries[path]))

    def stamp(self, paths: Sequence[str]) -> str | None:
        """See `FileSet`. It is the stamp of the archive, which changes with every file in it."""
        return self._opened.stamp()


def read_directory(path: Path, data: str, config: DataConfig) -> list[Entry]:
    """Return the files in a zip or .npz (which is a zip) without unpacking anything.

    Args:
        path: path of the archive.
        data: DATA, for messages.
        config: limits on the content.

    Raises:
        DataError: see `ZipFiles`.
    """
    guard = ArchiveGuard(data, config)
    try:
        # The directory of a large archive takes seconds to read.
        with in_time(partial(zipfile.ZipFile, path), config.check_time) as archive:
            infos = archive.infolist()
            _check_number(path, archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        problem = str(error).splitlines()[0]
        raise DataError(
            f"{data} is not a complete {path.suffix.lower() or '.zip'} archive ({problem}): "
            "check that it was copied completely"
        ) from None
    entries = []
    for info in infos:
        if not info.filename:
            raise DataError(f"{data} contains a file without a name: expected names; pack it again")
        # Check the original name; zipfile truncates it at a null byte.
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
    """Return the content of a file in a zip, unpacking no more than the directory states.

    Raises:
        zipfile.BadZipFile: the size or the checksum does not match the directory.
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
            raise zipfile.BadZipFile(f"its compressed data is damaged ({error})") from None
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
            f"{info.filename!r} in {data} is compressed by method {info.compress_type}: expected "
            "files that are stored or deflated, as in ordinary zips; compress it again"
        )
    if info.file_size > _LARGEST_RATIO * info.compress_size + _LARGEST_RATIO:
        raise DataError(
            f"{info.filename!r} in {data} claims {info.file_size} bytes from "
            f"{info.compress_size} compressed bytes, which is impossible; download the archive "
            "again"
        )


def _check_number(path: Path, archive: zipfile.ZipFile) -> None:
    """Check the number of entries, as some may be missing from a directory that can be read.

    Raises:
        zipfile.BadZipFile: the number differs from that at the end of the archive.
    """
    with path.open("rb") as file:
        file.seek(-_END.size - len(archive.comment), os.SEEK_END)
        magic, *_disks, total, _bytes, _start, _comment = _END.unpack(file.read(_END.size))
    count = len(archive.infolist())
    if magic == b"PK\x05\x06" and total != _MANY and total != count % (_MANY + 1):
        raise zipfile.BadZipFile(f"{count} files instead of the {total} that its end states")


def _name(info: zipfile.ZipInfo, name: str) -> str:
    """Return a name in its actual encoding: many programs write UTF-8 without marking it."""
    if info.flag_bits & _UTF8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
