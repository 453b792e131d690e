"""Read the files of a folder."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
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
    """The files of a folder; see `FileSet`. Links are followed, as the folder is the user's own.

    Args:
        root: the folder.
        paths: paths of the files to use, absolute or relative to `root`; by default all files below
            it.

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
    """Return the paths of all files below a folder, relative to it, in arbitrary order.

    Hidden files, files of operating systems, pipes, devices and broken links are left out. Links to
    folders are followed, except to a folder that contains the link.

    Args:
        root: the folder.
        quiet: whether not to log what was left out and which folders are the same.

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
            "%s: %s and %s are the same folder because of a link, and so are %d others; their "
            "files are used more than once",
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
    """Walks a folder, and collects its files, other entries, and folders that are the same.

    Folders are entered before links to them. A link below another link is only followed to a folder
    that is new, as the number of paths through links between many folders is unlimited.
    """

    def __init__(self, root: Path) -> None:
        self.files: list[str] = []
        self.others: list[str] = []
        self.same: list[tuple[str, str]] = []
        self._root = str(root)
        self._seen: dict[Identity, str] = {}
        # Of each folder: its path ("" or with a slash at the end), the folders that it is in, and
        # the number of links on the way.
        self._folders: list[tuple[str, tuple[Identity, ...], int]] = [("", (), 0)]
        self._links: deque[tuple[str, tuple[Identity, ...], int]] = deque()

    def run(self) -> None:
        """Walk the folder.

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
                f"folder {path.rstrip('/')} cannot be read: {error.strerror or error}; check its "
                "permissions"
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
            if not _is(entry.is_dir):
                (self.files if _is(entry.is_file) else self.others).append(name)
            elif entry.is_symlink():
                self._links.append((*inside, num_links + 1))
            else:
                self._folders.append((*inside, num_links))


def _is(asked: Callable[[], bool]) -> bool:
    """Return the answer about an entry; it is no for a link that leads to itself."""
    try:
        return asked()
    except OSError:
        return False
