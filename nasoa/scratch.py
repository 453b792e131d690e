"""Temporary folders, and removal of those that killed processes have left.

A process holds a shared lock on each of its folders. The kernel releases it however the process
ends, so a folder that can be locked for oneself alone belongs to no running process. Where the file
system has no such locks, nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from nasoa.errors import InvalidInput

# Only folders with this name are locked; those of earlier releases begin with `nasoa-` alone.
PREFIX = "nasoa-scratch-"


class ScratchFolder:
    """A temporary folder at `path`, removed together with this object or when the process exits.

    It is a context manager, too. A copy of the object in a worker process does not remove it.
    Folders of processes that were killed are removed first.

    Raises:
        InvalidInput: no folder for temporary files is writable.
    """

    def __init__(self) -> None:
        sweep()
        try:
            self.path, lock = _locked_folder()
        except OSError as error:
            raise InvalidInput(
                "expected a writable folder for temporary files, got "
                f"{error.strerror or error}; set TMPDIR to one"
            ) from None
        self._end = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_error: object) -> None:
        self._end()


def sweep() -> None:
    """Remove this user's scratch folders that belong to no running process."""
    try:
        names = os.listdir(tempfile.gettempdir())
    except OSError:  # there is no folder for temporary files
        return
    for name in names:
        if name.startswith(PREFIX):
            with suppress(OSError):  # in use, removed meanwhile, or of another user
                _remove_unused(Path(tempfile.gettempdir(), name))


def _remove_unused(path: Path) -> None:
    """Remove a scratch folder.

    Raises:
        OSError: it cannot be opened, or a process uses it.
    """
    import fcntl  # noqa: PLC0415  (not everywhere)

    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(folder).st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(folder)


def _locked_folder() -> tuple[Path, int]:
    """Return a new folder, and the open file that holds its lock.

    Raises:
        OSError: it cannot be created.
    """
    import fcntl  # noqa: PLC0415  (not everywhere)

    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_SH)
        if path.is_dir():
            return path, lock
        os.close(lock)  # another process removed it before it was locked


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
