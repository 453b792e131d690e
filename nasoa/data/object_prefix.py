"""Data in an object store: `s3://bucket/prefix`, class folders or one archive.

The objects are copied into a scratch folder and read from there: training reads every image many
times, and workers read in any order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from nasoa.config import DataConfig
from nasoa.data.archive_guard import ArchiveGuard
from nasoa.data.file_kinds import is_junk
from nasoa.data.scratch import ScratchFolder
from nasoa.data.shard_paths import PREFIX
from nasoa.data.source import ObjectSource
from nasoa.data.split_folders import LAYOUT
from nasoa.errors import DataError, ObjectNotFound

SCHEME = "s3://"
ARCHIVE_SUFFIXES = (".zip", ".npz", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
_DOWNLOADS = 8


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
    return form + str(download(data.removeprefix(PREFIX), store, config, scratch))


def download(
    data: str, store: ObjectSource | None, config: DataConfig, scratch: ScratchFolder
) -> Path:
    """A copy of `data` in the scratch folder: a folder, or an archive.

    Args:
        data: `s3://bucket/prefix`.
        store: the whole bucket, as `bucket_uri` names it.
        config: limits on number and size.
        scratch: gets the copy.

    Raises:
        DataError: no such objects, or no store to read them from.
    """
    bucket = bucket_uri(data)
    if store is None or bucket is None:
        raise DataError(f"{data} cannot be read here: expected an object store to read it from")
    prefix = data.removeprefix(bucket).strip("/")
    if prefix.lower().endswith(ARCHIVE_SUFFIXES):
        return _copy(store, prefix, scratch.path / PurePosixPath(prefix).name, data)
    start = prefix + "/" if prefix else ""
    paths = [key.removeprefix(start) for key in store.list(start)]
    paths = [path for path in paths if path and not path.endswith("/") and not is_junk(path)]
    if not paths:
        raise DataError(f"no objects under {data}: expected {LAYOUT}, or one .zip, .tar or .npz")
    guard = ArchiveGuard(data, config)
    for path in paths:
        guard.check(path, 0, is_link=False)
    return _copy_all(store, start, paths, scratch.path / (PurePosixPath(prefix).name or "data"))


def _copy_all(store: ObjectSource, start: str, paths: list[str], root: Path) -> Path:
    for folder in {root / PurePosixPath(path).parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)

    def copy(path: str) -> None:
        _copy(store, start + path, root / path, start + path)

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for _done in pool.map(copy, paths):
            pass
    return root


def _copy(store: ObjectSource, key: str, target: Path, data: str) -> Path:
    try:
        target.write_bytes(store.get(key))
    except ObjectNotFound:
        raise DataError(
            f"no object {data}: expected a .zip, .tar, .npz, or class folders"
        ) from None
    return target
