"""Fingerprints of DATA, to detect whether it has changed since a record was written."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from nasoa.config import DataConfig
from nasoa.data.folder import files_below
from nasoa.data.label_table import TABLE_SUFFIXES, files_of_table
from nasoa.data.object_prefix import ARCHIVE_SUFFIXES, SCHEME, bucket_uri
from nasoa.data.open_data import check_path
from nasoa.data.shard_paths import PREFIX, find_shards
from nasoa.data.source import ObjectSource
from nasoa.home_path import expanded

# Of a larger file, only the size, the beginning and the end are used.
_WHOLE_BYTES = 256 * 1024**2
_EDGE_BYTES = 1024**2
# Of a larger folder, only every k-th file is read, so that the user waits a tenth of a second.
_MOST_FILES = 2000
_FOLDER_BYTES = 64 * 1024**2


def fingerprint(data: str, source_store: ObjectSource | None = None) -> str:
    """Return 16 hex digits that change if DATA changes; they are cheap to compute.

    They depend on the content of a file (of one above 256 MiB, on its size, beginning and end); on
    the names, sizes and contents of the files of a folder (of more than 2,000 files or 64 MiB, on
    the contents of an evenly spaced sample); on the content of a table and of the files that it
    names; on the files of shards; on the keys and ETags of an S3 prefix; and on the name of a known
    data set.

    Raises:
        DataError: DATA is missing or cannot be read.
    """
    digest = hashlib.sha256()
    if bucket_uri(data) is not None:
        etags = _etags(data, source_store) if source_store else {}
        lines = (f"{key}\0{etag}" for key, etag in sorted(etags.items()))
        digest.update("\n".join([data, *lines]).encode())
    elif data.startswith(("sklearn:", "torchvision:")):
        digest.update(data.encode())
    elif data.startswith(PREFIX):
        shards = find_shards(data.removeprefix(PREFIX), data)
        _update_with_files(digest, {shard.name: shard for shard in shards})
    else:
        path = Path(expanded(data))
        check_path(path, data)
        if path.is_dir():
            _update_with_folder(digest, path, files_below(path, quiet=True))
        else:
            _update_with_file(digest, path)
        if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
            listed = files_of_table(path, DataConfig())
            names = files_below(path.parent, quiet=True) if listed is None else listed
            _update_with_folder(digest, path.parent, names)
    return digest.hexdigest()[:16]


def _etags(data: str, source_store: ObjectSource) -> Mapping[str, str]:
    """The ETags of the objects that DATA is, and of none beside them with a longer name."""
    key = data.removeprefix(PREFIX).removeprefix(SCHEME).partition("/")[2].strip("/")
    if key.lower().endswith(ARCHIVE_SUFFIXES):
        return {name: etag for name, etag in source_store.etags(key).items() if name == key}
    return source_store.etags(f"{key}/" if key else "")


def _update_with_folder(digest: hashlib._Hash, folder: Path, names: Iterable[str]) -> None:
    _update_with_files(digest, {name: folder / name for name in sorted(names)})


def _update_with_files(digest: hashlib._Hash, paths: Mapping[str, Path]) -> None:
    """Add the names and sizes of files, and the contents of all or of an evenly spaced sample."""
    total = 0
    for name, path in paths.items():
        size = path.stat().st_size
        total += size
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
    step = max(-(-total // _FOLDER_BYTES), -(-len(paths) // _MOST_FILES), 1)
    for path in itertools.islice(paths.values(), 0, None, step):
        _update_with_file(digest, path)


def _update_with_file(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            while chunk := file.read(_EDGE_BYTES):
                digest.update(chunk)
            return
        digest.update(f"{size}\n".encode())
        digest.update(file.read(_EDGE_BYTES))
        file.seek(size - _EDGE_BYTES)
        digest.update(file.read(_EDGE_BYTES))
