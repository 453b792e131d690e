"""Check, before anything is trained, that the model and the results can be saved."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from nasoa.errors import InvalidInput, StoreUnavailable
from nasoa.partial_file import partial_file
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.local import LocalStore

_FILE = ".partial-" + 32 * "0"  # as long as the names of the files of a model


def check_out(out: str) -> None:
    """Check that a model can be saved, by writing and removing a small object.

    Args:
        out: a folder, which need not exist, or an `s3://` prefix; "" is not checked.

    Raises:
        InvalidInput: `out` cannot be written.
    """
    if not out:
        return
    target = open_store(out)
    try:
        write_and_remove(target, b"x")
    except OSError as error:
        raise InvalidInput(
            f"expected a folder to save the model in, but {Path(target.uri).absolute()} cannot be "
            f"written: {error.strerror or error}; name another with --out"
        ) from None


def check_store(store: ArtifactStore) -> None:
    """Check that a store can be written, by writing and removing a small object.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    try:
        write_and_remove(store, b"x")
    except OSError as error:
        raise StoreUnavailable(
            f"the store {store.uri} cannot be written: {error.strerror or error}; check its "
            "permissions and free space, or name another with --store"
        ) from None


def write_and_remove(target: ArtifactStore, content: bytes) -> None:
    """Write an object the way `target` writes, and remove it.

    A folder that does not exist is not created: the object is written to its nearest existing
    parent.

    Raises:
        OSError: the folder cannot be written.
        StoreUnavailable: the bucket cannot be written.
    """
    if isinstance(target, LocalStore):
        folder = Path(target.uri).absolute()
        existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
        _check_lengths(folder, existing)
        with partial_file(existing) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return
    key = f"{keys.checkpoints('write-test')}{secrets.token_hex(8)}"
    target.put(key, content)
    target.delete(key)


def _check_lengths(folder: Path, existing: Path) -> None:
    """Check that the folders between an existing one and `folder` can have their names.

    Raises:
        OSError: a name or the path is too long for the file system.
    """
    for path in (folder / _FILE, *(existing / part for part in folder.relative_to(existing).parts)):
        with suppress(FileNotFoundError):
            os.lstat(path)
