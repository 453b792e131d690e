"""Where the classes of image files come from: a table of labels, or the folders they are in."""

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
# More tables than these belong to the images one by one.
_MOST_TABLES = 16


def read_records(
    paths: Sequence[str],
    read: Callable[[str], bytes],
    data: str,
    config: DataConfig,
    table: str = "",
) -> dict[str, ImageRecord]:
    """Path -> record, sorted by path.

    A `labels.csv` comes before the folders, which come before any other table: those hold much
    that is no label.

    Args:
        paths: of all files, relative to the data set.
        read: gives a file's bytes.
        data: DATA, for messages.
        config: limits.
        table: one of `paths`, the only table to take labels from, if it is given.

    Raises:
        DataError: neither tells the classes.
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
    """What the first reader gives that finds classes.

    Raises:
        DataError: that of the first, where none does.
    """
    problems: list[DataError] = []
    for read in readers:
        try:
            return read()
        except (NoLabels, UnreadableLayout) as error:
            problems.append(error)
    raise problems[0]


def _read_classes(paths: Sequence[str], data: str) -> dict[str, ImageRecord]:
    """See `read_layout`; a single folder, like `images/`, is no class."""
    records = read_layout(paths, data)
    if len({record.class_name for record in records.values()}) == 1:
        raise UnreadableLayout(f"one folder of images in {data}")
    return records
