"""Data in an object store: `s3://bucket/prefix`, class folders or one archive.

The objects are copied into a scratch folder, or into a cache that several machines share, and read
from there: training reads every image many times, and workers read in any order.
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
from nasoa.data.scratch import ScratchFolder
from nasoa.data.shard_paths import PREFIX
from nasoa.data.source import ObjectSource
from nasoa.data.split_folders import LAYOUT
from nasoa.errors import DataError, ObjectNotFound

SCHEME = "s3://"
ARCHIVE_SUFFIXES = (".zip", ".npz", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
_DOWNLOADS = 8
_LONGEST_NAME = 200
_SHOWN = 60  # characters of a name in a message

logger = logging.getLogger(__name__)


def bucket_uri(data: str) -> str | None:
    """The store that DATA is read from, `s3://bucket`; None where DATA is not in a store.

    Raises:
        DataError: `s3://` without a bucket, or a pattern of shards there.
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
    """DATA in a store -> DATA that is a copy of it in the scratch folder, of the same form.

    Raises:
        DataError: no such objects.
    """
    form = PREFIX if data.startswith(PREFIX) else ""
    # A shard is as large as an archive.
    limits = replace(config, max_file_bytes=config.max_archive_bytes) if form else config
    return form + str(download(data.removeprefix(PREFIX), store, limits, scratch))


def download(
    data: str, store: ObjectSource | None, config: DataConfig, scratch: ScratchFolder
) -> Path:
    """A copy of `data`, a folder or an archive, in the shared cache or the scratch folder.

    Args:
        data: `s3://bucket/prefix`.
        store: the whole bucket, as `bucket_uri` names it.
        config: limits on number and size.
        scratch: gets the copy where there is no shared cache.

    Raises:
        DataError: no such objects, or no store to read them from.
    """
    bucket = bucket_uri(data)
    if store is None or bucket is None:
        raise DataError(f"{data} cannot be read here: expected an object store to read it from")
    if open_data_cache() is not None:
        # A volume that is made for copies has its own size.
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
    """The folder with the objects; `wanted` are their keys, by their paths in it."""
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
    """Keys without what they all begin with, but for what cannot be a file of the data set."""
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
            "%s: %d objects left out, which have the name of a prefix, or more than %d bytes",
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
            + ("the free disk" if limit == free else "the limit")
            + f" of {folder}; give a part of it, or shards"
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
        raise DataError(f"{key} was removed while it was read; try again") from None
    except OSError as error:
        raise DataError(f"{key} cannot be copied to {target.parent}: {error.strerror}") from None
