"""A folder of copies of data sets from an object store, which several machines can share.

NASOA_DATA_CACHE names the folder, on a volume that all machines mount; without it, nothing is
shared. A copy is written under another name and renamed when it is complete, so any process can use
a copy that it finds. Copies are never removed, as another process may be reading them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nasoa.errors import DataError
from nasoa.home_path import expanded

VARIABLE = "NASOA_DATA_CACHE"
_FOLDER = "data"
_PARTIAL = ".partial-"
# An incomplete copy that has not been written to for this long belongs to a dead process.
_ABANDONED_S = 6 * 3600.0
_SIGN_OF_LIFE_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataCache:
    """A folder of copies of data sets that several machines can use at the same time.

    Args:
        folder: the folder; it is created if necessary.
    """

    folder: Path

    def copied(
        self, data: str, sizes: Mapping[str, int], copy: Callable[[Path, Callable[[], None]], None]
    ) -> Path:
        """Return a folder with a complete copy of a data set, which is made if there is none yet.

        A copy is identified by `data` and by the names and sizes of the objects. If objects are
        replaced by others of the same name and size, the old copy is used.

        Args:
            data: URI of the objects.
            sizes: size of each object in bytes, by its path in the copy.
            copy: function that writes the objects to an empty folder; it must call its second
                argument from time to time to show that it is alive.

        Raises:
            DataError: the folder cannot be written.
        """
        target = self.folder / _name(data, sizes)
        if target.is_dir():
            logger.info("%s is read from its copy in %s", data, target)
            return target
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()
            partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self.folder))
        except OSError as error:
            raise self._refusal(error) from None
        try:
            copy(partial, _SignsOfLife(partial))
            _publish(partial, target)
        except OSError as error:
            raise self._refusal(error) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        logger.info("%s has been copied to %s", data, target)
        return target

    def _remove_abandoned(self) -> None:
        for folder in self.folder.glob(f"{_PARTIAL}*"):
            with suppress(FileNotFoundError):  # another process has removed or renamed it
                if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _refusal(self, error: OSError) -> DataError:
        return DataError(
            f"expected a writable folder in {VARIABLE}, but {self.folder} cannot be written: "
            f"{error.strerror or error}; make user {os.getuid()} its owner, and provide space for "
            "the data"
        )


class _SignsOfLife:
    """Updates the modification time of a folder about once a minute while it is called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_s = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last_s > _SIGN_OF_LIFE_S:
            self._last_s = time.monotonic()
            os.utime(self._folder)


def _publish(partial: Path, target: Path) -> None:
    """Rename a complete copy; if another process was faster, its copy is used."""
    partial.chmod(0o755)  # other users may read the copy
    try:
        partial.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _name(data: str, sizes: Mapping[str, int]) -> str:
    listing = "\n".join([data, *(f"{size} {path}" for path, size in sorted(sizes.items()))])
    return hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()[:32]


def open_data_cache() -> DataCache | None:
    """Return the cache that NASOA_DATA_CACHE names, or None if it is not set."""
    folder = os.environ.get(VARIABLE)
    return DataCache(Path(expanded(folder)) / _FOLDER) if folder else None
