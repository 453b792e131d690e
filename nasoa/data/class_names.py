"""Names of classes as text that is the same however a file system or an archive spells it."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from nasoa.data.source import ImageRecord
from nasoa.plain_text import escaped

logger = logging.getLogger(__name__)


def readable(name: str) -> str:
    r"""Return a name as valid text, composed (NFC), with control characters escaped.

    macOS decomposes accents; bytes that are not UTF-8 are read as Windows writes Western text.

    >>> readable("cafe\u0301") == readable("caf\udce9") == "caf\u00e9"
    True
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = _decoded(name)
    return escaped(unicodedata.normalize("NFC", name))


def _decoded(name: str) -> str:
    """A name of bytes that are not UTF-8 as text."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:  # half a pair of surrogates, as JSON may have it; it is escaped
        return name
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def united(records: Mapping[str, ImageRecord], data: str) -> dict[str, ImageRecord]:
    """Return records in which names that differ in case only are one class.

    It gets the name that most of its images have. Single letters stay apart: `a` and `A` are
    classes of handwriting.

    Args:
        records: by path.
        data: DATA, for a line of the log about what was united.
    """
    counts = Counter(record.class_name for record in records.values())
    variants: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        variants[name if len(name) == 1 else name.casefold()].append(name)
    chosen: dict[str, str] = {}
    for names in variants.values():
        best = max(names, key=lambda name: counts[name])
        chosen |= dict.fromkeys(names, best)
        if len(names) > 1:
            logger.warning("%s: %s are one class, %s", data, " and ".join(names), best)
    if all(name == best for name, best in chosen.items()):
        return dict(records)
    return {
        path: replace(record, class_name=chosen[record.class_name])
        for path, record in records.items()
    }
