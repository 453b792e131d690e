"""Records of a store that can be made again, or done without."""

from __future__ import annotations

import logging
from typing import TypeVar

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import from_json
from nasoa.store import ArtifactStore

R = TypeVar("R")

logger = logging.getLogger(__name__)


def read_record(store: ArtifactStore, key: str, kind: type[R]) -> R | None:
    """A record; None where there is none, or a corrupt one, which is named."""
    try:
        return from_json(store.get(key), kind, key)
    except ObjectNotFound:
        return None
    except CorruptRecord as error:
        logger.warning("left out: %s", error)
        return None
