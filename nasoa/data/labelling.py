"""Determine the classes of image files from a table of labels or from their folders."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from nasoa.config import DataConfig
from nasoa.data.file_kinds import is_junk, suffix_of, without_companions
from nasoa.data.label_columns import NoLabels
from nasoa.data.label_table import TABLE_SUFFIXES, labelled
from nasoa.data.layout import image_paths, read_layout
from nasoa.data.source import ImageRecord
from nasoa.data.split_folders import UnreadableLayout
from nasoa.errors import DataError

LABELS_FILE = "labels.csv"
# If there are more tables, they are probably companion files of single images.
_MOST_TABLES = 16


def read_records(
    paths: Sequence[str],
    read: Callable[[str], bytes],
    data: str,
    config: DataConfig,
    table: str = "",
) -> dict[str, ImageRecord]:
    """Return the records of all images, by path and in the order of paths.

    A `labels.csv` takes precedence over folders, and folders over other tables, which often contain
    no labels.

    Args:
        paths: paths of all files, relative to the data set.
        read: function that returns the bytes of a file.
        data: DATA, for messages.
        config: limits.
        table: the only one of `paths` to read labels from; empty to detect the source of labels.

    Raises:
        DataError: neither a table nor folders determine the classes.
    """
    if table:
        return labelled([table], without_companions(paths)[0], read, data, config)
    tables = [path for path in paths if suffix_of(path) in TABLE_SUFFIXES and not is_junk(path)]
    own = [path for path in tables if posixpath.basename(path).lower() == LABELS_FILE]
    others = [path for path in tables if "submission" not in posixpath.basename(path).lower()]
    if own:
        rest = sorted({*paths} - {*own})
        return _first(
            lambda: labelled(own, image_paths(rest, data), read, data, config),
            lambda: _read_classes(paths, data),
        )
    if 0 < len(others) <= _MOST_TABLES:
        return _first(
            lambda: _read_classes(paths, data),
            lambda: labelled(others, image_paths(paths, data), read, data, config),
            lambda: read_layout(paths, data),
        )
    return read_layout(paths, data)


def _first(*readers: Callable[[], dict[str, ImageRecord]]) -> dict[str, ImageRecord]:
    """Return the result of the first reader that finds classes.

    Raises:
        DataError: none does; the error is that of the first reader.
    """
    problems: list[DataError] = []
    for read in readers:
        try:
            return read()
        except (NoLabels, UnreadableLayout) as error:
            problems.append(error)
    raise problems[0]


def _read_classes(paths: Sequence[str], data: str) -> dict[str, ImageRecord]:
    """Call `read_layout`, but do not accept a single class: it may be a folder like `images/`."""
    records = read_layout(paths, data)
    if len({record.class_name for record in records.values()}) == 1:
        raise UnreadableLayout(f"one folder of images in {data}")
    return records
