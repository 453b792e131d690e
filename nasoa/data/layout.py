"""Determine classes, splits and groups from the paths of a data set.

Supported layouts are `<class>/<image>`, `train/<class>/<image>` and `<class>/train/<image>`, below
any number of wrapping folders. Folders inside a class folder belong to the class.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from nasoa.data.class_names import readable, united
from nasoa.data.file_kinds import is_junk, without_companions
from nasoa.data.groups import group_of, tell_groups
from nasoa.data.source import ImageRecord
from nasoa.data.split_folders import (
    LAYOUT,
    Pieces,
    UnreadableLayout,
    classes_beside_splits,
    in_splits,
    shown,
    split_folders,
    splits_inside,
)
from nasoa.data.split_names import SPLITS

logger = logging.getLogger(__name__)


def read_layout(paths: Iterable[str], data: str) -> dict[str, ImageRecord]:
    """Return the records of all images in class folders, by path and in the order of paths.

    Args:
        paths: paths relative to the data set, with `/` between parts; files that are not meant as
            images are ignored.
        data: DATA, for messages.

    Raises:
        UnreadableLayout: no image is in a class folder, there is a test/ or val/ without a train/,
            or folders look like splits but contain no classes.
    """
    images = image_paths(paths, data)
    pieces = _peeled({path: _parts(path) for path in images})
    pieces = classes_beside_splits(splits_inside(pieces, data))
    splits = split_folders(pieces, data)
    if splits:
        named = in_splits(pieces, splits, data)
    else:
        named = {path: ("", own[0], own[-1]) for path, own in pieces.items() if len(own) >= 2}
    if not named:
        raise UnreadableLayout(f"no images in {data}: expected {LAYOUT}{shown(images)}")
    if len(named) < len(images):
        logger.warning("%s: %d files outside class folders ignored", data, len(images) - len(named))
    records = {
        path: ImageRecord(path, readable(name), split, group_of(file))
        for path, (split, name, file) in sorted(named.items())
    }
    tell_groups(records.values(), data)
    return united(records, data)


def image_paths(paths: Iterable[str], data: str) -> list[str]:
    """Return the paths that may be images, sorted; log how many other files there are."""
    images, left_out = without_companions(sorted(path for path in paths if not is_junk(path)))
    if left_out:
        suffixes = ", ".join(suffix or "without a suffix" for suffix in sorted(left_out))
        logger.warning(
            "%s: %d files that are not meant as images left out (%s)",
            data,
            left_out.total(),
            suffixes,
        )
    return images


def _parts(path: str) -> list[str]:
    # Some programs unpack archives from Windows into names with backslashes.
    return [part for part in re.split(r"[/\\]", path) if part not in ("", ".")]


def _peeled(pieces: Pieces) -> Pieces:
    """Remove wrapping folders, which contain all class folders and are not splits."""
    while True:
        tops = {own[0] for own in pieces.values() if len(own) >= 2}
        deep = any(len(own) >= 3 for own in pieces.values())
        if len(tops) != 1 or not deep or next(iter(tops)).lower() in SPLITS:
            return pieces
        # Files beside the class folders do not make the wrapper a class.
        pieces = {path: own[1:] for path, own in pieces.items() if len(own) >= 2}
