"""The store: everything that outlives a step, as objects that are written atomically."""

from nasoa.store.opening import default_store, open_store
from nasoa.store.protocol import ArtifactStore, ObjectStat

__all__ = ["ArtifactStore", "ObjectStat", "default_store", "open_store"]
