"""Files of a teacher's features, which processes fill and read at the same time."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.data.bounded_folder import make_room
from nasoa.data.pixel_cache import open_cache
from nasoa.errors import InvalidInput
from nasoa.partial_file import partial_file, reserve

Indices = NDArray[np.int64]

FOLDER = "lessons"  # in nasoa's cache folder
SUFFIX = ".npy"
IN_USE_S = 3600.0  # a file that was opened or written this recently is not removed

logger = logging.getLogger(__name__)


class FeatureFile:
    """`(n, d)` float16 features in a file; rows are unknown until they are written.

    A process that is killed while it writes leaves no row that is known and incomplete.

    Args:
        path: the file; it is created if it does not exist.
        shape: n and d.

    Raises:
        OSError: the file cannot be created, or there is not enough space for it.
        InvalidInput: the file has another shape.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._path = path
        if not path.exists():
            _create(path, shape)
        os.utime(path)
        self._rows = np.lib.format.open_memmap(path, mode="r+")
        if self._rows.shape != shape:
            raise InvalidInput(
                f"expected features of shape {shape} in {path}, got {self._rows.shape}; remove "
                "the file"
            )

    def unknown(self, rows: Indices) -> Tensor:
        """Return the positions in `rows` of those that are unknown."""
        return torch.from_numpy(np.flatnonzero(np.isnan(self._rows[rows, 0])))

    def read(self, rows: Indices) -> Tensor:
        """Return the `(b, d)` features of known rows."""
        return torch.from_numpy(self._rows[rows])

    def write(self, rows: Indices, features: Tensor) -> None:
        """Store the `(b, d)` features of rows."""
        found = features.cpu().numpy()
        # Another process reads a row as soon as its first feature is known.
        self._rows[rows, 1:] = found[:, 1:]
        self._rows[rows, 0] = found[:, 0]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other process is in this block with the same file.

        On a file system without locks, processes do not wait.
        """
        import fcntl  # noqa: PLC0415  (not everywhere)

        with self._path.open("rb") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class FeatureFolder:
    """A folder of feature files, of which the least recently used are removed.

    Args:
        path: the folder; it is created if necessary.
        max_bytes: largest size of all files in it; they also take at most a tenth of the free disk
            space.
    """

    path: Path
    max_bytes: int = sys.maxsize

    def open(self, name: str, shape: tuple[int, int]) -> FeatureFile | None:
        """Return the file of a name, or None if there is no space or the folder is not writable.

        Args:
            name: name of the file without suffix; it must identify the content.
            shape: number of rows, and of features.
        """
        path = self.path / f"{name}{SUFFIX}"
        try:
            if not path.exists():
                self.path.mkdir(parents=True, exist_ok=True)
                make_room(
                    self.path,
                    2 * shape[0] * shape[1],
                    suffix=SUFFIX,
                    max_bytes=self.max_bytes,
                    kept_s=IN_USE_S,
                )
            return FeatureFile(path, shape)
        except OSError as error:
            logger.info("the teacher's features do not stay in %s: %s", self.path, error)
            return None


def cached_features() -> FeatureFolder | None:
    """Return the folder `lessons` of nasoa's cache, or None if the cache is turned off.

    It has the limit of the decoded images beside it: NASOA_CACHE_BYTES.
    """
    cache = open_cache(workers=1)
    return FeatureFolder(cache.folder.parent / FOLDER, cache.max_bytes) if cache else None


def _create(path: Path, shape: tuple[int, int]) -> None:
    with partial_file(path.parent) as file:
        made = np.lib.format.open_memmap(file.name, mode="w+", dtype=np.float16, shape=shape)
        reserve(file, os.path.getsize(file.name))
        made[:, 0] = np.nan
        made.flush()
        with contextlib.suppress(FileExistsError):  # created by another process meanwhile
            os.link(file.name, path)
