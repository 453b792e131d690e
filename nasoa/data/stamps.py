"""Stamps: short texts that change whenever files change, computed without reading the files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# File systems take times from a clock that ticks every 1 to 10 ms, or even every second. A second
# change within a tick would not be visible.
_TICK_NS = 20_000_000
_WHOLE_SECOND_NS = 1_000_000_000


def stamp_files(root: Path, paths: Iterable[str]) -> str | None:
    """Return a hex digest of the location, names, sizes and times of change of files.

    It includes the time at which a file's metadata last changed (ctime), which programs cannot
    reset, unlike the time of modification (mtime). If a file changed a few milliseconds ago, this
    function waits until another change would be visible.

    Args:
        root: a folder.
        paths: paths of files, relative to `root`.

    Returns:
        The digest; None if a file is missing, or if it changed so recently that another change
        might not be visible.
    """
    digest = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape"))
    newest = 0
    try:
        for path in paths:
            status = os.stat(root / path)
            newest = max(newest, status.st_ctime_ns)
            text = f"\0{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
            digest.update(text.encode(errors="surrogateescape"))
    except OSError:
        return None
    return digest.hexdigest() if _settled(newest) else None


def stamp_array(array: NDArray[np.uint8]) -> str:
    """Return a hex digest of an array's shape and content."""
    digest = hashlib.sha256(str(array.shape).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class OpenedFiles:
    """Files, such as archives, whose layout is read once and whose content is read later.

    Create the object before reading from the files.

    Args:
        paths: paths of the files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._before = self._now()

    def stamp(self) -> str | None:
        """Return a stamp as `stamp_files` does; None if a file has changed since the creation."""
        now = self._now()
        return now if now == self._before else None

    def _now(self) -> str | None:
        stamps = [stamp_files(path.parent, [path.name]) for path in self._paths]
        return None if None in stamps else " ".join(map(str, stamps))


def _settled(changed_ns: int) -> bool:
    """Return whether a further change would get a later time than `changed_ns`; may wait a tick."""
    age_ns = time.time_ns() - changed_ns
    if changed_ns % _WHOLE_SECOND_NS == 0:
        return age_ns > 2 * _WHOLE_SECOND_NS
    if 0 <= age_ns < _TICK_NS:
        time.sleep((_TICK_NS - age_ns) / 1e9)
    return age_ns >= 0
