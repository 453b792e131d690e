"""Copy DATA from an object store: `s3://bucket/prefix` with class folders or an archive.

The objects are copied to a temporary folder, or to a cache that several machines share, because
training reads every image many times, and workers read in any order.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from nasoa.config import CheckTime, DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.data_cache import open_data_cache
from nasoa.data.file_kinds import is_junk
from nasoa.data.reading_limit import results_in_time, threads_to_leave
from nasoa.data.shard_paths import PREFIX
from nasoa.data.source import ObjectSource
from nasoa.data.split_folders import LAYOUT
from nasoa.errors import DataError, ObjectNotFound
from nasoa.scratch import ScratchFolder

SCHEME = "s3://"
ARCHIVE_SUFFIXES = (".zip", ".npz", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
_DOWNLOADS = 8
_LONGEST_NAME = 200
_SHOWN = 60  # characters of a name in a message

logger = logging.getLogger(__name__)


def bucket_uri(data: str) -> str | None:
    """Return the URI of the bucket of DATA, `s3://bucket`, or None if DATA is not in a store.

    Raises:
        DataError: the URI has no bucket, or DATA is a pattern of shards in a bucket.
    """
    where = data.removeprefix(PREFIX)
    if not where.startswith(SCHEME):
        return None
    if where != data and "{" in where:
        raise DataError(f"{data!r} is a pattern in a store: expected shards:s3://bucket/prefix")
    bucket = where.removeprefix(SCHEME).split("/")[0]
    if not bucket:
        raise DataError(f"{data!r} names no bucket: expected s3://bucket/prefix")
    return SCHEME + bucket


def local_copy(
    data: str, store: ObjectSource | None, config: DataConfig, scratch: ScratchFolder
) -> str:
    """Copy DATA from a store to this machine; return DATA of the same form that names the copy.

    See `download` for the arguments and errors.
    """
    form = PREFIX if data.startswith(PREFIX) else ""
    # A shard is as large as an archive.
    limits = replace(config, max_file_bytes=config.max_archive_bytes) if form else config
    return form + str(download(data.removeprefix(PREFIX), store, limits, scratch))


def download(
    data: str, store: ObjectSource | None, config: DataConfig, scratch: ScratchFolder
) -> Path:
    """Copy a folder or an archive to the shared cache or a temporary folder; return its path.

    Args:
        data: `s3://bucket/prefix`.
        store: the bucket that `bucket_uri` names.
        config: limits on number and size.
        scratch: temporary folder for the copy if there is no shared cache.

    Raises:
        DataError: there are no such objects, they exceed the limits, or there is no store.
        TimeLimitError: the time limit cannot be met (`config.check_time`).
    """
    bucket = bucket_uri(data)
    if store is None or bucket is None:
        raise DataError(f"{data} cannot be read here: expected an object store to read it from")
    if open_data_cache() is not None:
        # The volume of the cache has its own size, which is the limit.
        config = replace(config, max_archive_bytes=sys.maxsize)
    prefix = data.removeprefix(bucket).strip("/")
    if prefix.lower().endswith(ARCHIVE_SUFFIXES):
        sizes = store.sizes(prefix)
        if prefix not in sizes:
            raise DataError(f"no object {data}: expected a .zip, .tar, .npz, or class folders")
        wanted = {PurePosixPath(prefix).name: prefix}
        where = _placed(data, store, wanted, sizes, config, scratch)
        return where / PurePosixPath(prefix).name
    start = prefix + "/" if prefix else ""
    sizes = store.sizes(start)
    paths = _paths(sizes, start, data, config)
    if not paths:
        raise DataError(f"no objects under {data}: expected {LAYOUT}, or one .zip, .tar or .npz")
    guard = ArchiveGuard(data, config)
    for path in paths:
        guard.check(path, sizes[start + path], is_link=False)
        if max(len(part.encode()) for part in path.split("/")) > _LONGEST_NAME:
            raise DataError(
                f"{path[:_SHOWN]!r}... in {data} has a name that is too long for a file: expected "
                f"at most {_LONGEST_NAME} bytes between slashes; rename it"
            )
    name = PurePosixPath(prefix).name or "data"
    wanted = {f"{name}/{path}": start + path for path in paths}
    return _placed(data, store, wanted, sizes, config, scratch) / name


def _placed(
    data: str,
    store: ObjectSource,
    wanted: Mapping[str, str],
    sizes: Mapping[str, int],
    config: DataConfig,
    scratch: ScratchFolder,
) -> Path:
    """Copy objects and return the folder with them; `wanted` maps paths in it to keys."""
    num_bytes = sum(sizes[key] for key in wanted.values())

    def copy(folder: Path, alive: Callable[[], None]) -> None:
        _check_room(num_bytes, data, config, folder)
        _copy_all(store, wanted, folder, alive, config.check_time)

    cache = open_data_cache()
    if cache is not None:
        return cache.copied(data, {path: sizes[key] for path, key in wanted.items()}, copy)
    copy(scratch.path, lambda: None)
    return scratch.path


def _paths(sizes: Mapping[str, int], start: str, data: str, config: DataConfig) -> list[str]:
    """Return keys without their common prefix, leaving out those that cannot be image files."""
    paths = [key.removeprefix(start) for key in sizes if key.startswith(start)]
    paths = [path for path in paths if path and not path.endswith("/") and not is_junk(path)]
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    files = [
        path
        for path in paths
        if path not in folders and sizes[start + path] <= config.max_file_bytes
    ]
    if len(files) < len(paths):
        logger.warning(
            "%s: %d objects left out, which have the name of a folder or more than %d bytes",
            data,
            len(paths) - len(files),
            config.max_file_bytes,
        )
    return files


def _check_room(num_bytes: int, data: str, config: DataConfig, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    limit = min(config.max_archive_bytes, free)
    if num_bytes > limit:
        raise DataError(
            f"{data} has {num_bytes} bytes: expected at most {limit}, "
            + ("the free space" if limit == free else "the limit")
            + f" of {folder}; use a part of it, or shards"
        )


def _copy_all(
    store: ObjectSource,
    wanted: Mapping[str, str],
    root: Path,
    alive: Callable[[], None],
    check_time: CheckTime,
) -> None:
    for folder in {root / PurePosixPath(path).parent for path in wanted}:
        folder.mkdir(parents=True, exist_ok=True)

    def copy(path: str) -> None:
        _copy(store, wanted[path], root / path)

    with threads_to_leave(_DOWNLOADS) as pool:
        for _done in results_in_time([pool.submit(copy, path) for path in wanted], check_time):
            alive()


def _copy(store: ObjectSource, key: str, target: Path) -> None:
    try:
        store.download(key, target)
    except ObjectNotFound:
        raise DataError(f"{key} was removed while it was being read; try again") from None
    except OSError as error:
        raise DataError(
            f"{key} cannot be copied to {target.parent}: {error.strerror or error}"
        ) from None
