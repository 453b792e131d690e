"""Group images that show the same thing, by their file names.

A file `g<id>_<rest>` belongs to the group `<id>`, which extends to the last underscore:
`g142_3.jpg`, `gc00038_t00042_2.jpg`. The id must not begin with two lower-case letters, so that a
name such as `goat_000.jpg` does not define a group.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from nasoa.data.source import ImageRecord

logger = logging.getLogger(__name__)

_GROUP = re.compile(r"g(?![a-z]{2})([0-9A-Za-z].*)_[^_]*")


def group_of(file_name: str) -> str | None:
    """Return the group in a file's name, or None if it has none."""
    match = _GROUP.fullmatch(file_name)
    return match.group(1) if match else None


def tell_groups(records: Iterable[ImageRecord], data: str) -> None:
    """Log the number of groups, if there are any."""
    groups = {record.group for record in records} - {None}
    if groups:
        logger.warning(
            "%s: names like g<id>_<rest> put images into %d groups, which are not divided between "
            "splits",
            data,
            len(groups),
        )
