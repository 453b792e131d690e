"""Bound the size of a folder of files that can be made again: the least recently used are removed.

Any number of processes may use the folder: files that are listed may be gone, and others may be
being written.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nasoa.partial_file import PREFIX

# An incomplete file that has not been written to for this long belongs to a dead process.
ABANDONED_S = 3600.0
DISK_FRACTION = 10  # the files may use one part in this many of the free disk space


def make_room(
    folder: Path, num_bytes: int, *, suffix: str, max_bytes: int, kept_s: float = 0.0
) -> None:
    """Remove the least recently used files until there is space for a new file.

    Args:
        folder: the folder; it exists.
        num_bytes: size of the new file.
        suffix: end of the names of the files; others are left alone, except incomplete files that
            were abandoned.
        max_bytes: largest size of all files.
        kept_s: files that were used this recently, in seconds, are not removed.

    Raises:
        OSError: there is no space for the file, even after removing what may be removed.
    """
    files = sorted(_files(folder, suffix))
    used = sum(size for _time, size, _path in files)
    free = shutil.disk_usage(folder).free - num_bytes
    if num_bytes > min(max_bytes, (free + used) // DISK_FRACTION):
        raise OSError(f"no room for {num_bytes} bytes within the limit of the cache")
    now = time.time()
    for used_at, size, path in files:
        if used + num_bytes <= min(max_bytes, free // DISK_FRACTION):
            return
        is_incomplete = path.name.startswith(PREFIX)
        if now - used_at < (ABANDONED_S if is_incomplete else kept_s):
            continue
        path.unlink(missing_ok=True)
        used -= size
        free += size
    if used + num_bytes > min(max_bytes, free // DISK_FRACTION):
        raise OSError(f"no room for {num_bytes} bytes beside files that are in use")


def _files(folder: Path, suffix: str) -> Iterator[tuple[float, int, Path]]:
    """Yield the time of last use, the size and the path of each file."""
    for entry in os.scandir(folder):
        if entry.name.endswith(suffix) or entry.name.startswith(PREFIX):
            with suppress(FileNotFoundError):  # another process has removed it
                status = entry.stat()
                yield status.st_mtime, status.st_size, Path(entry.path)
