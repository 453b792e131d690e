"""Copies of data sets out of an object store that several machines share, in one folder.

The folder is the one that NASOA_DATA_CACHE names, on a volume that all of them mount; without it
nothing is shared. A copy is made under another name and renamed when it is whole, so whoever finds
one can use it. Copies stay: another process may be reading them.
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

VARIABLE = "NASOA_DATA_CACHE"
_FOLDER = "data"
_PARTIAL = ".partial-"
# A copy that nothing was written to for so long is of a process that died.
_ABANDONED_S = 6 * 3600.0
_SIGN_OF_LIFE_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataCache:
    """A folder of copies that several machines may use at the same time.

    Args:
        folder: need not exist.
    """

    folder: Path

    def copied(
        self, data: str, sizes: Mapping[str, int], copy: Callable[[Path, Callable[[], None]], None]
    ) -> Path:
        """The folder with a whole copy of a data set, made by `copy` where there is none.

        Which copy is whose is told by the names and sizes of the objects. Where objects are
        replaced by others of the same names and sizes, the old copy is used.

        Args:
            data: where the objects are.
            sizes: the bytes of each object, by its path in the copy.
            copy: given an empty folder, and a function to call now and then, it writes the objects.

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
        logger.info("%s is copied to %s", data, target)
        return target

    def _remove_abandoned(self) -> None:
        for folder in self.folder.glob(f"{_PARTIAL}*"):
            with suppress(FileNotFoundError):  # another process has removed or renamed it
                if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _refusal(self, error: OSError) -> DataError:
        return DataError(
            f"expected a folder that can be written in {VARIABLE}, but {self.folder}: "
            f"{error.strerror}; let it belong to user {os.getuid()}, with room for the data"
        )


class _SignsOfLife:
    """Changes the time of a folder about once a minute, as long as it is called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_s = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last_s > _SIGN_OF_LIFE_S:
            self._last_s = time.monotonic()
            os.utime(self._folder)


def _publish(partial: Path, target: Path) -> None:
    """Rename a whole copy; where another was faster, that one stays."""
    partial.chmod(0o755)  # others read it, who may be another user
    try:
        partial.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _name(data: str, sizes: Mapping[str, int]) -> str:
    listing = "\n".join([data, *(f"{size} {path}" for path, size in sorted(sizes.items()))])
    return hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()[:32]


def open_data_cache() -> DataCache | None:
    """The cache that the environment names; None where it names none."""
    folder = os.environ.get(VARIABLE)
    return DataCache(Path(folder).expanduser() / _FOLDER) if folder else None
