"""With which credentials DATA is read."""

from __future__ import annotations

from nasoa.data import bucket_uri
from nasoa.store import ArtifactStore, open_store


def source_store(data: str) -> ArtifactStore | None:
    """The store of the bucket that DATA lies in, which has the store's credentials; else None."""
    bucket = bucket_uri(data)
    return open_store(bucket) if bucket else None
