"""A store in a local folder, safe for processes that share it.

An object is written under a temporary name, synced, and moved or linked to its own: a process that
is killed leaves at most a temporary file, which nothing lists.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from nasoa.errors import ObjectNotFound, StoreUnavailable
from nasoa.partial_file import PREFIX, PRIVATE, partial_file
from nasoa.store.protocol import ObjectStat, check_key


class LocalStore:
    """A folder; made at the first write."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
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

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `ArtifactStore.put_if_absent`."""
        if self._path(key).exists():
            return False
        with self._partial(key, data) as (partial, path):
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
            return True

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """See `ArtifactStore.list`."""
        start = self._folder / prefix.rpartition("/")[0]
        keys = []
        for folder, _folders, files in os.walk(start):
            relative = Path(folder).relative_to(self._folder).as_posix()
            before = "" if relative == "." else relative + "/"
            keys += [before + file for file in files if not file.startswith(PREFIX)]
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

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
        if not path.is_file():
            raise ObjectNotFound(self.uri, key)
        return ObjectStat(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        try:
            self._path(key).unlink(missing_ok=True)
        except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
            if self._path(key).is_file():
                raise self._unusable("written", error) from None

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    @contextlib.contextmanager
    def _partial(self, key: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """A synced temporary file beside the object's path; gone in the end."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial_file(path.parent, PRIVATE) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                yield Path(file.name), path
        except OSError as error:
            raise self._unusable("written", error) from None

    def _unusable(self, verb: str, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store {self.uri} cannot be {verb}: {error.strerror or error}; "
            "free it or name another with --store"
        )
