"""Open DATA in each of its forms as an `ImageSource`."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import Path

from nasoa.config import DataConfig
from nasoa.data.class_names import readable
from nasoa.data.digits import read_digits
from nasoa.data.file_source import FileSource
from nasoa.data.folder import FolderFiles
from nasoa.data.label_table import TABLE_SUFFIXES, files_of_table
from nasoa.data.npz import read_npz
from nasoa.data.object_prefix import ARCHIVE_SUFFIXES, SCHEME, bucket_uri, download, local_copy
from nasoa.data.shard_paths import PREFIX
from nasoa.data.shards import ShardSource
from nasoa.data.source import ImageSource, ObjectSource
from nasoa.data.tar_archive import TarFiles
from nasoa.data.torchvision_sets import TorchvisionSource
from nasoa.data.zip_archive import ZipFiles
from nasoa.errors import DataError
from nasoa.home_path import expanded
from nasoa.near_paths import did_you_mean
from nasoa.scratch import ScratchFolder

FORMS = (
    "a folder of class folders or with a labels.csv, a .zip or .tar of one, a .csv of paths and "
    "labels, an .npz, sklearn:digits, "
    "torchvision:NAME, s3://bucket/prefix, or shards: and a folder, pattern or prefix of shards"
)


def open_source(data: str, config: DataConfig, store: ObjectSource | None) -> ImageSource:
    """Open DATA as a source of images.

    Args:
        data: DATA in one of `FORMS`.
        config: limits.
        store: the bucket of an S3 URI.

    Raises:
        DataError: DATA has none of the forms, is missing, or cannot be read.
        UnknownName: scikit-learn or torchvision has no such data set.
    """
    if data.startswith("sklearn:"):
        return read_digits(data.removeprefix("sklearn:"), data)
    if data.startswith("torchvision:"):
        return TorchvisionSource(data.removeprefix("torchvision:"))
    if data.startswith(PREFIX):
        return _open_shards(data, config, store)
    if data.startswith(SCHEME):
        scratch = ScratchFolder()
        return _open_path(download(data, store, config, scratch), data, config, scratch)
    return _open_path(Path(expanded(data)), data, config, None)


def _open_shards(data: str, config: DataConfig, store: ObjectSource | None) -> ShardSource:
    if bucket_uri(data) is None:
        return ShardSource(data.removeprefix(PREFIX), data, config)
    scratch = ScratchFolder()
    copy = local_copy(data, store, config, scratch)
    return ShardSource(copy.removeprefix(PREFIX), data, config, scratch)


def check_path(path: Path, data: str) -> None:
    """Check that a path of DATA is a readable file or folder.

    Raises:
        DataError: it is missing, cannot be read, or is neither a file nor a folder.
    """
    if not data:
        raise DataError(f"DATA is empty: expected {FORMS}")
    try:
        data.encode()  # records, which are text, contain it
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
        elif stat.S_ISREG(mode):
            path.open("rb").close()
        else:
            raise DataError(f"{data!r} is neither a folder nor a file: expected {FORMS}")
    except UnicodeEncodeError:
        raise DataError(
            f"expected DATA to be a path in UTF-8, got {os.fsencode(data)!r}; rename it"
        ) from None
    except FileNotFoundError:
        near = did_you_mean(path)
        raise DataError(f"no file or folder {data!r}: {near}expected {FORMS}") from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise DataError(f"{data!r} cannot be read ({problem}): expected {FORMS}") from None


def _open_path(
    path: Path, data: str, config: DataConfig, scratch: ScratchFolder | None
) -> ImageSource:
    check_path(path, data)
    name = _short_name(path)
    if path.is_dir():
        return FileSource(FolderFiles(path), name, data, config, scratch)
    if path.stat().st_size == 0:
        raise DataError(f"file {data} is empty: expected {FORMS}")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        files = FolderFiles(path.parent, files_of_table(path, config))
        return FileSource(files, name, data, config, scratch, table=path.name)
    if suffix == ".npz":
        return read_npz(path, name, data, config)
    if suffix == ".zip" or zipfile.is_zipfile(path):
        return FileSource(ZipFiles(path, data, config), name, data, config, scratch)
    if path.name.lower().endswith(ARCHIVE_SUFFIXES) or tarfile.is_tarfile(path):
        return FileSource(TarFiles(path, data, config), name, data, config, scratch)
    raise DataError(f"{data} is neither a folder nor an archive: expected {FORMS}")


def _short_name(path: Path) -> str:
    """Return the name of a folder, or of a file without the suffix of an archive or table."""
    name = readable(path.resolve().name)
    ends = [
        suffix for suffix in (*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES) if name.lower().endswith(suffix)
    ]
    return name[: -len(max(ends, key=len))] if ends and path.is_file() else name
