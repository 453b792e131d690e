"""From the paths of a data set to classes, splits and groups.

Known layouts: `<class>/<image>` and `{train,val,test}/<class>/<image>`, in a single wrapping
folder or not. Folders inside a class folder belong to the class.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from nasoa.data.source import ImageRecord
from nasoa.errors import DataError

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LAYOUT = "class folders with images, with or without train/, val/ and test/ around them"

# `gc00038_t00042_2.jpg` is of the group c00038_t00042: all up to the last underscore.
_GROUP = re.compile(r"g(.+)_[^_]*")
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}

logger = logging.getLogger(__name__)


def is_junk(path: str) -> bool:
    """Whether a path is what macOS or Windows leave behind, or hidden."""
    return any(part in _JUNK or (part.startswith(".") and part != ".") for part in path.split("/"))


def read_layout(paths: Iterable[str], data: str) -> dict[str, ImageRecord]:
    """Path -> record, sorted by path; files outside class folders are left out.

    Args:
        paths: relative to the data set, with `/` between parts; junk is ignored.
        data: DATA, for messages.

    Raises:
        DataError: nothing lies in a class folder, or there is a test/ or val/ without a train/.
    """
    parts = {path: path.split("/") for path in sorted(paths) if not is_junk(path)}
    skip = _wrapping_folders(list(parts.values()))
    inner = {path: pieces[skip:] for path, pieces in parts.items()}
    if _has_splits(list(inner.values())):
        records = _split_records(inner, data)
    else:
        records = {
            path: ImageRecord(path, pieces[0], group=group_of(pieces[-1]))
            for path, pieces in inner.items()
            if len(pieces) >= 2
        }
    if not records:
        raise DataError(f"no images in {data}: expected {LAYOUT}")
    if len(records) < len(parts):
        logger.warning(
            "%s: %d files outside class folders ignored", data, len(parts) - len(records)
        )
    return records


def _wrapping_folders(paths: list[list[str]]) -> int:
    """1 where everything lies in folders of one folder, that is not one of the splits, else 0."""
    wrappers = {pieces[0] for pieces in paths}
    if len(wrappers) != 1 or wrappers.pop().lower() in SPLITS:
        return 0
    # Files beside the class folders (a README) do not make the wrapper a class.
    return int(any(len(pieces) >= 3 for pieces in paths))


def _has_splits(paths: list[list[str]]) -> bool:
    """Whether top folders are splits: `train` may be a class too, with images right inside."""
    tops = {pieces[0] for pieces in paths if len(pieces) >= 2}
    nested = {pieces[0] for pieces in paths if len(pieces) >= 3}
    split_tops = {top for top in tops if top.lower() in SPLITS}
    has_train = any(top.lower() == "train" for top in nested)
    return bool(split_tops & nested) and (has_train or split_tops == tops)


def _split_records(inner: dict[str, list[str]], data: str) -> dict[str, ImageRecord]:
    records = {
        path: ImageRecord(path, pieces[1], SPLITS[pieces[0].lower()], group_of(pieces[-1]))
        for path, pieces in inner.items()
        if len(pieces) >= 3 and pieces[0].lower() in SPLITS
    }
    found = {record.split for record in records.values()}
    if "train" not in found:
        raise DataError(
            f"no training images in {data}: it has {' and '.join(sorted(found))} folders; "
            "add train/<class>/<image>"
        )
    return records


def group_of(file_name: str) -> str | None:
    """The group that a file's name tells of; None where it tells of none."""
    match = _GROUP.fullmatch(file_name)
    return match.group(1) if match else None
