"""Write files atomically: under a temporary name that is replaced when they are complete."""

from __future__ import annotations

import atexit
import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from nasoa.errors import InvalidInput

PREFIX = ".partial-"  # of the name of a file that is incomplete
PRIVATE = 0o600
_unfinished: dict[Path, int] = {}  # path -> ID of the process that writes the file


@contextlib.contextmanager
def partial_file(folder: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file with a unique temporary name for reading and writing.

    It is removed at the end of the block unless the block has renamed it.

    Args:
        folder: folder of the file; rename the file within it only.
        mode: permissions, before the umask of the process is applied.

    Raises:
        OSError: the file cannot be created.
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
    """Remove files that are incomplete when the process exits."""
    for path, owner in list(_unfinished.items()):
        if owner == os.getpid():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def reserve(file: IO[bytes], num_bytes: int) -> None:
    """Allocate disk space for a file to be mapped into memory.

    Without it, a write to the mapping would kill the process if the disk is full.

    Raises:
        OSError: there is not enough space.
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
    """Turn an `OSError` of the block into an error that names the file the user asked for.

    Raises:
        InvalidInput: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"expected a file that can be written, but writing {path} failed: "
            f"{error.strerror or error}"
        ) from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; the file there replaces `path` if the block succeeds.

    An existing file at `path` is left unchanged until then.

    Raises:
        OSError: the file cannot be written.
    """
    with partial_file(path.parent) as file:
        partial = Path(file.name)
        yield partial
        os.replace(partial, path)
