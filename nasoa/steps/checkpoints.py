"""Read training checkpoints from a store."""

from __future__ import annotations

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.seal import check_tensors
from nasoa.store import ArtifactStore
from nasoa.training.checkpoint import RunState, from_bytes


def read_checkpoint(store: ArtifactStore, key: str) -> RunState | None:
    """Return the training state under a key, or None if it is missing or cannot be read."""
    try:
        raw = store.get(key)
        check_tensors(raw, key)
        return from_bytes(raw, key)
    except (ObjectNotFound, CorruptRecord):
        return None
