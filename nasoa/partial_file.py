"""Files that are there whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import atexit
import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from nasoa.errors import InvalidInput

PREFIX = ".partial-"  # of the name that a file has until it is whole
PRIVATE = 0o600
_unfinished: dict[Path, int] = {}  # with the process that writes each


@contextlib.contextmanager
def partial_file(folder: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file in a folder, under a name of its own, to read and write.

    It is removed at the end of the block unless it was renamed in it.

    Args:
        folder: that of the name which the file is to get.
        mode: permissions, less those that the process masks.

    Raises:
        OSError: the file cannot be made.
    """
    path = folder / f"{PREFIX}{uuid.uuid4().hex}"
    _unfinished[path] = os.getpid()
    try:
        with open(path, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield cast(BinaryIO, file)
    finally:
        path.unlink(missing_ok=True)
        del _unfinished[path]


@atexit.register
def _remove_unfinished() -> None:
    """Remove what is being written where a process ends in the middle of it."""
    for path, owner in list(_unfinished.items()):
        if owner == os.getpid():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def reserve(file: IO[bytes], num_bytes: int) -> None:
    """Take the disk space for a mapped file: a write that finds no room would end the process.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, num_bytes)
        return
    zeros = bytes(1024**2)
    for start in range(0, num_bytes, len(zeros)):
        file.write(zeros[: num_bytes - start])
    file.flush()


@contextlib.contextmanager
def refused(path: Path) -> Iterator[None]:
    """Name a file that a user asked for where it cannot be written.

    Raises:
        InvalidInput: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"expected a file that can be written, but {path}: {error.strerror}"
        ) from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there becomes the file at `path` if the block succeeds.

    An earlier file at `path` stays as it is until then.

    Raises:
        OSError: the file cannot be written.
    """
    with partial_file(path.parent) as file:
        partial = Path(file.name)
        yield partial
        os.replace(partial, path)
