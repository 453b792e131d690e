"""A store in a local folder, safe for processes that share it.

An object is written under a temporary name, synced, and renamed or linked to its final name; then
its folder is synced. What was written survives a loss of power. A process that is killed leaves at
most a temporary file, which is never listed and which `LocalStore.sweep` removes. Files and folders
get the permissions that the umask allows, so that users may share a store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nasoa.errors import ObjectNotFound, StoreUnavailable
from nasoa.partial_file import PREFIX, partial_file
from nasoa.store.protocol import ObjectStat, check_key

# A temporary file that was not written to for this long belongs to a process that has died.
ABANDONED_S = 3600.0


class LocalStore:
    """A store in a folder, which is created at the first write.

    Raises:
        StoreUnavailable: the path is that of a file.
    """

    def __init__(self, folder: Path) -> None:
        # Path.exists raises for a name that is too long; what is done with it tells that.
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise StoreUnavailable(f"expected the store {folder} to be a folder, but it is a file")
        self._folder = folder

    @property
    def uri(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        path = self._path(key)
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise ObjectNotFound(self.uri, key) from None
        except OSError as error:
            raise self._unusable("read", error) from None

    def download(self, key: str, path: Path) -> None:
        """See `ArtifactStore.download`."""
        self.stat(key)
        shutil.copyfile(self._path(key), path)

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`."""
        with self._partial(key, data) as (partial, path):
            os.replace(partial, path)
            _sync_folder(path.parent)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `ArtifactStore.put_if_absent`."""
        if self._path(key).exists():
            return False
        with self._partial(key, data) as (partial, path):
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """See `ArtifactStore.list`."""
        start = self._folder / prefix.rpartition("/")[0]
        keys = []
        for folder, files in self._walk(start):
            relative = folder.relative_to(self._folder).as_posix()
            before = "" if relative == "." else relative + "/"
            keys += [before + file for file in files if not file.startswith(PREFIX)]
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

    def sweep(self, older_than_s: float = ABANDONED_S) -> int:
        """Remove temporary files of processes that were killed.

        Args:
            older_than_s: age in seconds; younger files may belong to a running process.

        Returns:
            The number of removed files.
        """
        removed = 0
        for folder, files in self._walk(self._folder):
            for path in (folder / file for file in files if file.startswith(PREFIX)):
                with contextlib.suppress(OSError):  # renamed meanwhile, or owned by another user
                    if time.time() - path.stat().st_mtime > older_than_s:
                        path.unlink()
                        removed += 1
        return removed

    def _walk(self, start: Path) -> Iterator[tuple[Path, Sequence[str]]]:
        """Yield a folder and all folders below it, with the names of their files.

        Raises:
            StoreUnavailable: a folder cannot be read; its files must not count as missing.
        """

        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise self._unusable("read", error) from None

        for folder, _folders, files in os.walk(start, onerror=failed):
            yield Path(folder), files

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """See `ArtifactStore.sizes`."""
        found = {}
        for key in self.list(prefix):
            with contextlib.suppress(ObjectNotFound):  # deleted meanwhile
                found[key] = self.stat(key).size_bytes
        return found

    def etags(self, prefix: str = "") -> dict[str, str]:
        """See `ArtifactStore.etags`."""
        found = {}
        for key in self.list(prefix):
            with contextlib.suppress(ObjectNotFound):  # deleted meanwhile
                found[key] = hashlib.sha256(self.get(key)).hexdigest()
        return found

    def stat(self, key: str) -> ObjectStat:
        """See `ArtifactStore.stat`."""
        path = self._path(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectNotFound(self.uri, key) from None
        except OSError as error:
            raise self._unusable("read", error) from None
        if not path.is_file():
            raise ObjectNotFound(self.uri, key)
        return ObjectStat(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            if self._path(key).is_file():
                raise self._unusable("written", error) from None

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    @contextlib.contextmanager
    def _partial(self, key: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """Yield a synced temporary file and the object's path; the file is removed at the end."""
        path = self._path(key)
        try:
            _make_folder(path.parent)
            with partial_file(path.parent) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                yield Path(file.name), path
        except OSError as error:
            raise self._unusable("written", error) from None

    def _unusable(self, verb: str, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store {self.uri} cannot be {verb}: {error.strerror or error}; "
            "check its permissions and free space, or name another with --store"
        )


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, and sync the folders that contain the new ones."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, if the system supports it."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
