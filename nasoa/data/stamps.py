"""Stamps: short texts that change whenever the bytes of files change, without reading the files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# File systems take the time from a clock that ticks every 1 to 10 ms, some of them in whole
# seconds: a second change within a tick would not show.
_TICK_NS = 20_000_000
_WHOLE_SECOND_NS = 1_000_000_000


def stamp_files(root: Path, paths: Iterable[str]) -> str | None:
    """Hex digest of where files are, and of the names, sizes and times of change of each.

    The time of the last change of a file's metadata is included: unlike the time of modification,
    no program can set it back. Where a file changed a few milliseconds ago, this function waits
    until another change would show.

    Args:
        root: a folder.
        paths: files in it, relative to it.

    Returns:
        The digest; None where a file is gone, or where it changed so lately that its time of
        change would not show another change.
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
    """Hex digest of an array's shape and content."""
    digest = hashlib.sha256(str(array.shape).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class OpenedFiles:
    """Files whose layout is read once, as an archive's is, and whose bytes are read later.

    Args:
        paths: the files, before anything was read from them.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._before = self._now()

    def stamp(self) -> str | None:
        """As of `stamp_files`; None where a file changed since this object was made."""
        now = self._now()
        return now if now == self._before else None

    def _now(self) -> str | None:
        stamps = [stamp_files(path.parent, [path.name]) for path in self._paths]
        return None if None in stamps else " ".join(map(str, stamps))


def _settled(changed_ns: int) -> bool:
    """Whether a change from now on gets a later time than `changed_ns`; waits a tick for it."""
    age_ns = time.time_ns() - changed_ns
    if changed_ns % _WHOLE_SECOND_NS == 0:
        return age_ns > 2 * _WHOLE_SECOND_NS
    if 0 <= age_ns < _TICK_NS:
        time.sleep((_TICK_NS - age_ns) / 1e9)
    return age_ns >= 0
