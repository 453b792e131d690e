"""The store: every state that outlives a step, immutable and written whole."""

from nasoa.store.opening import open_store
from nasoa.store.protocol import ArtifactStore, ObjectStat

__all__ = ["ArtifactStore", "ObjectStat", "open_store"]
