"""Image files in a folder."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nasoa.data.file_kinds import is_junk
from nasoa.data.split_folders import LAYOUT
from nasoa.data.stamps import stamp_files
from nasoa.errors import DataError
from nasoa.plain_text import escaped

Identity = tuple[int, int]

logger = logging.getLogger(__name__)


class FolderFiles:
    """See `FileSet`. Links are followed: the folder is the user's own.

    Args:
        root: the folder.
        paths: the files to take, relative to it or absolute; all below it by default.

    Raises:
        DataError: the folder is empty, or it or a folder in it cannot be read.
    """

    def __init__(self, root: Path, paths: Sequence[str] | None = None) -> None:
        self._root = root
        self.paths = sorted(files_below(root)) if paths is None else list(paths)
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
    walk.run()
    if quiet:
        return walk.files
    if walk.same:
        first, again = walk.same[0]
        logger.warning(
            "%s: %s and %s are one folder, by a link, and so are %d others; what is in them is "
            "there more than once",
            root,
            escaped(first) or "it",
            escaped(again),
            len(walk.same) - 1,
        )
    if walk.others:
        logger.warning(
            "%s: %d pipes, devices or broken links left out, the first: %s",
            root,
            len(walk.others),
            escaped(walk.others[0]),
        )
    return walk.files


class _Walk:
    """Files of a folder, and what was met on the way to them.

    Folders come before links to them. A link within what another link leads to is followed only to
    what is new: links between many folders have paths without number.
    """

    def __init__(self, root: Path) -> None:
        self.files: list[str] = []
        self.others: list[str] = []
        self.same: list[tuple[str, str]] = []
        self._root = str(root)
        self._seen: dict[Identity, str] = {}
        # Each with "" or a path that ends with a slash, the folders it is in, and how many links
        # lead there.
        self._folders: list[tuple[str, tuple[Identity, ...], int]] = [("", (), 0)]
        self._links: deque[tuple[str, tuple[Identity, ...], int]] = deque()

    def run(self) -> None:
        """Walk everything.

        Raises:
            DataError: a folder cannot be read.
        """
        while self._folders or self._links:
            self._enter(*(self._folders.pop() if self._folders else self._links.popleft()))

    def _enter(self, relative: str, above: tuple[Identity, ...], num_links: int) -> None:
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
        first = self._seen.setdefault(identity, relative)
        if identity in above or (num_links > 1 and first != relative):
            return
        if first != relative:
            self.same.append((first, relative))
        for entry in entries:
            name = relative + entry.name
            inside = (name + "/", (*above, identity))
            if not entry.is_dir():
                (self.files if entry.is_file() else self.others).append(name)
            elif entry.is_symlink():
                self._links.append((*inside, num_links + 1))
            else:
                self._folders.append((*inside, num_links))
