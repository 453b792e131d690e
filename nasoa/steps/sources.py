"""The credentials with which DATA is read."""

from __future__ import annotations

from nasoa.data import bucket_uri
from nasoa.store import ArtifactStore, open_store


def source_store(data: str) -> ArtifactStore | None:
    """Return the bucket of DATA, opened with the store's credentials; None if not in a bucket."""
    bucket = bucket_uri(data)
    return open_store(bucket) if bucket else None
