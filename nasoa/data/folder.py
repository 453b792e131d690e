"""Image files in a folder."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nasoa.data.file_kinds import is_junk
from nasoa.data.split_folders import LAYOUT
from nasoa.data.stamps import stamp_files
from nasoa.errors import DataError

# Of one folder, by links: links between many folders have names without number.
_MOST_NAMES = 4
Identity = tuple[int, int]

logger = logging.getLogger(__name__)


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


def files_below(root: Path, *, quiet: bool = False) -> list[str]:
    """Return the paths of all files below a folder, relative to it, in no order.

    Hidden files and those that operating systems leave behind are left out; so is what is not a
    file, such as a pipe, a device, or a link to nothing. Links to folders are followed, unless to
    a folder that they are in. Unless `quiet`, lines of the log tell what was left out, and which
    folders are one.

    Raises:
        DataError: a folder cannot be read.
    """
    walk = _Walk(root)
    walk.enter("", ())
    if quiet:
        return walk.files
    for first, again in walk.same:
        logger.warning("%s: %s and %s are one folder, by a link", root, first, again)
    if walk.others:
        logger.warning(
            "%s: %d pipes, devices or broken links left out, the first: %s",
            root,
            len(walk.others),
            walk.others[0],
        )
    return walk.files


class _Walk:
    """Files of a folder, and what was met on the way to them."""

    def __init__(self, root: Path) -> None:
        self.files: list[str] = []
        self.others: list[str] = []
        self.same: list[tuple[str, str]] = []
        self._root = str(root)
        self._seen: dict[Identity, list[str]] = defaultdict(list)

    def enter(self, relative: str, above: tuple[Identity, ...]) -> None:
        """Walk a folder; `relative` is "" or ends with a slash, `above` are the folders it is in.

        Raises:
            DataError: it cannot be read.
        """
        path = os.path.join(self._root, relative)
        try:
            status = os.stat(path)
            with os.scandir(path) as scan:
                entries = [entry for entry in scan if not is_junk(entry.name)]
        except OSError as error:
            raise DataError(
                f"folder {path.rstrip('/')} cannot be read: {error.strerror}; check its permissions"
            ) from None
        identity = (status.st_dev, status.st_ino)
        if identity in above or not self._is_followed(identity, relative):
            return
        for entry in entries:
            name = relative + entry.name
            if entry.is_dir():
                self.enter(name + "/", (*above, identity))
            else:
                (self.files if entry.is_file() else self.others).append(name)

    def _is_followed(self, identity: Identity, relative: str) -> bool:
        """Whether a folder is walked: again, where a link leads to it, but not without end."""
        names = self._seen[identity]
        names.append(relative)
        if len(names) == 1:
            return True
        self.same.append((names[0], relative))
        return len(names) <= _MOST_NAMES
