"""Normalise class names, which file systems and archives spell in different ways."""

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
    r"""Return a name as valid text in composed form (NFC), with control characters escaped.

    macOS stores accents decomposed. Bytes that are not UTF-8 are decoded as Windows-1252.

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
    """Return records in which class names that differ only in case are merged.

    A merged class gets the name that most of its images have. Single letters are not merged, as `a`
    and `A` are different classes of handwriting.

    Args:
        records: path -> record.
        data: DATA, for the log, which lists merged names.
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
            logger.warning("%s: %s are read as one class, %s", data, " and ".join(names), best)
    if all(name == best for name, best in chosen.items()):
        return dict(records)
    return {
        path: replace(record, class_name=chosen[record.class_name])
        for path, record in records.items()
    }
