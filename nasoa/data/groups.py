"""Images that show one thing, by their names.

A name `g<id>_<rest>` puts an image into the group `<id>`, which is all up to the last underscore:
`g142_3.jpg`, `gc00038_t00042_2.jpg`. The id does not begin with two small letters, so that the
goats of `goat_000.jpg` are not one goat.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from nasoa.data.source import ImageRecord

logger = logging.getLogger(__name__)

_GROUP = re.compile(r"g(?![a-z]{2})([0-9A-Za-z].*)_[^_]*")


def group_of(file_name: str) -> str | None:
    """Return the group that a file's name tells; None where it tells none."""
    match = _GROUP.fullmatch(file_name)
    return match.group(1) if match else None


def tell_groups(records: Iterable[ImageRecord], data: str) -> None:
    """Write into the log that names put images into groups, where they do."""
    groups = {record.group for record in records} - {None}
    if groups:
        logger.warning(
            "%s: names like g<id>_<rest> put images into %d groups, which are not parted between "
            "splits",
            data,
            len(groups),
        )
