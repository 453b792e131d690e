"""States of unfinished trainings in a store."""

from __future__ import annotations

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.store import ArtifactStore
from nasoa.training.checkpoint import RunState, from_bytes


def read_checkpoint(store: ArtifactStore, key: str) -> RunState | None:
    """The state under a key; None where there is none, or one that cannot be read."""
    try:
        return from_bytes(store.get(key), key)
    except (ObjectNotFound, CorruptRecord):
        return None
