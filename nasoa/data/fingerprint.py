"""What DATA was, so that a record can be told from one of changed data."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from nasoa.config import DataConfig
from nasoa.data.folder import files_below
from nasoa.data.forms import check_path
from nasoa.data.label_table import TABLE_SUFFIXES, files_of_table
from nasoa.data.object_prefix import SCHEME, bucket_uri
from nasoa.data.shard_paths import PREFIX, find_shards
from nasoa.data.source import ObjectSource

# A larger file is known by its size, its beginning and its end.
_WHOLE_BYTES = 256 * 1024**2
_EDGE_BYTES = 1024**2
# Of a folder with more, every k-th file is read: a tenth of a second, which a user waits for.
_MOST_FILES = 2000
_FOLDER_BYTES = 64 * 1024**2


def fingerprint(data: str, source_store: ObjectSource | None = None) -> str:
    """16 hex digits that change with DATA; cheap.

    A file is known by its content (a very large one by size, beginning and end), a folder by the
    names, sizes and contents of its files (of more than 2,000, or 64 MiB, by the contents of some,
    spread evenly), a table by its content and the files that it names, shards by theirs, an s3
    prefix by its keys and their ETags, a named data set by its name.

    Raises:
        DataError: DATA is missing or cannot be read.
    """
    digest = hashlib.sha256()
    if bucket_uri(data) is not None:
        etags = source_store.etags(_key(data)) if source_store else {}
        lines = (f"{key}\0{etag}" for key, etag in sorted(etags.items()))
        digest.update("\n".join([data, *lines]).encode())
    elif data.startswith(("sklearn:", "torchvision:")):
        digest.update(data.encode())
    elif data.startswith(PREFIX):
        shards = find_shards(data.removeprefix(PREFIX), data)
        _update_with_files(digest, {shard.name: shard for shard in shards})
    else:
        path = Path(data).expanduser()
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


def _key(data: str) -> str:
    return data.removeprefix(PREFIX).removeprefix(SCHEME).partition("/")[2]


def _update_with_folder(digest: hashlib._Hash, folder: Path, names: Iterable[str]) -> None:
    _update_with_files(digest, {name: folder / name for name in sorted(names)})


def _update_with_files(digest: hashlib._Hash, paths: Mapping[str, Path]) -> None:
    """Names and sizes of all, contents of all or of some, spread evenly."""
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
