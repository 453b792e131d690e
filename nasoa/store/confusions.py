"""Confusion matrices of tasks with many classes, which are stored outside the experience log.

For 2,000 classes a matrix has four million numbers, and no reader of the log uses them.
"""

from __future__ import annotations

import gzip
import logging
from dataclasses import dataclass, replace

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.records import Experience, from_json, to_sealed_json
from nasoa.store import keys
from nasoa.store.gzipped import unpacked
from nasoa.store.protocol import ArtifactStore

logger = logging.getLogger(__name__)

MOST_CLASSES = 100  # larger matrices are stored outside their experience
# Upper bounds of the stored size: per number with its separators, and for the rows and the digest.
_COUNT_BYTES = 32
_FIXED_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class _Document:
    """The separate object: see `Experience`."""

    confusion: tuple[tuple[int, ...], ...]


def moved_apart(store: ArtifactStore, experience: Experience) -> Experience:
    """Store a large confusion matrix separately, and return the experience as the log has it."""
    if len(experience.confusion) <= MOST_CLASSES:
        return experience
    document = to_sealed_json(_Document(confusion=experience.confusion))
    store.put(keys.confusion(experience.task.task_id), gzip.compress(document, 1, mtime=0))
    return replace(experience, confusion=())


def with_confusion(store: ArtifactStore, experience: Experience) -> Experience:
    """Return an experience with its matrix, also if stored separately; a damaged one is omitted."""
    if experience.confusion:
        return experience
    key = keys.confusion(experience.task.task_id)
    try:
        most_bytes = _FIXED_BYTES + _COUNT_BYTES * len(experience.task.class_names) ** 2
        document = from_json(unpacked(store.get(key), key, most_bytes), _Document, key)
    except ObjectNotFound:
        return experience
    except CorruptRecord as error:
        logger.warning("left out: the confusion matrix %s: %s", key, error)
        return experience
    return replace(experience, confusion=document.confusion)
