"""Image files in a zip, read in place."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.stamps import OpenedFiles
from nasoa.errors import DataError

_ENCRYPTED = 0x1


class ZipFiles:
    """See `FileSet`. Every thread of every process has a handle of its own.

    Raises:
        DataError: not a zip, cut short, encrypted, or with entries that `ArchiveGuard` refuses.
    """

    def __init__(self, path: Path, data: str, config: DataConfig) -> None:
        self._path = path
        self._opened = OpenedFiles([path])
        self._local = threading.local()
        guard = ArchiveGuard(data, config)
        self._names: dict[str, str] = {}
        with open_zip(path, data) as archive:
            for info in archive.infolist():
                is_link = stat.S_ISLNK(info.external_attr >> 16)
                # The name as it stands there: zipfile cuts it at a null byte.
                guard.check(info.orig_filename, info.file_size, is_link=is_link)
                if info.flag_bits & _ENCRYPTED:
                    raise DataError(f"{data} is encrypted: expected a zip without a password")
                if not info.is_dir():
                    # Some Windows programs write backslashes.
                    self._names[info.filename.replace("\\", "/")] = info.filename
        self.paths = list(self._names)

    def open(self, path: str) -> IO[bytes]:
        """See `FileSet`."""
        return self._archive().open(self._names[path])

    def stamp(self, paths: Sequence[str]) -> str | None:
        """See `FileSet`. The archive's own: it changes with every file in it."""
        return self._opened.stamp()

    def _archive(self) -> zipfile.ZipFile:
        # A forked process shares its parent's handle, and with it the position in the file.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.archive = zipfile.ZipFile(self._path)
            self._local.process = os.getpid()
        return cast(zipfile.ZipFile, self._local.archive)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_local"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()


def open_zip(path: Path, data: str) -> zipfile.ZipFile:
    """The zip at `path`; for a .npz too, which is one.

    Raises:
        DataError: not a zip, or cut short.
    """
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        problem = str(error).splitlines()[0]
        raise DataError(
            f"{data} is not a whole {path.suffix.lower() or '.zip'} archive ({problem}): "
            "check that it was copied completely"
        ) from None
