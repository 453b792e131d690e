"""The store: every state that outlives a step, immutable and written whole."""

from nasoa.store.opening import default_store, open_store
from nasoa.store.protocol import ArtifactStore, ObjectStat

__all__ = ["ArtifactStore", "ObjectStat", "default_store", "open_store"]
