"""Read records that can be recomputed or omitted."""

from __future__ import annotations

import logging
from typing import TypeVar

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import from_json
from nasoa.store import ArtifactStore

R = TypeVar("R")

logger = logging.getLogger(__name__)


def read_record(store: ArtifactStore, key: str, kind: type[R]) -> R | None:
    """Return a record, or None if it is missing or corrupt; a corrupt one is logged."""
    try:
        return from_json(store.get(key), kind, key)
    except ObjectNotFound:
        return None
    except CorruptRecord as error:
        logger.warning("left out: %s", error)
        return None
