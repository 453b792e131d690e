"""Image files in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nasoa.data.layout import LAYOUT, is_junk
from nasoa.data.stamps import stamp_files
from nasoa.errors import DataError


class FolderFiles:
    """See `FileSet`. Links are followed: the folder is the user's own.

    Raises:
        DataError: the folder is empty, or it or a folder in it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.paths = sorted(files_below(root))
        if not self.paths:
            raise DataError(f"folder {root} is empty: expected {LAYOUT}")

    def open(self, path: str) -> IO[bytes]:
        """See `FileSet`."""
        return (self._root / path).open("rb")

    def stamp(self, paths: Sequence[str]) -> str | None:
        """See `FileSet`."""
        return stamp_files(self._root, paths)


def files_below(root: Path) -> list[str]:
    """Return the paths of all files below a folder, relative to it, in no order.

    Hidden files and those that macOS and Windows leave behind are left out. Links to folders are
    followed, each folder once.

    Raises:
        DataError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(
            f"folder {error.filename} cannot be read: {error.strerror}; check its permissions"
        ) from None

    paths = []
    seen = {root.resolve()}
    for folder, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        # A link to a folder above would be walked for ever.
        subfolders[:] = [name for name in subfolders if _is_new(Path(folder, name), seen)]
        relative = Path(folder).relative_to(root)
        paths += [(relative / name).as_posix() for name in files]
    return [path for path in paths if not is_junk(path)]


def _is_new(folder: Path, seen: set[Path]) -> bool:
    real = folder.resolve()
    if is_junk(folder.name) or real in seen:
        return False
    seen.add(real)
    return True
