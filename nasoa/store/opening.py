"""From a URI to a store."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nasoa.errors import StoreUnavailable
from nasoa.store.local import LocalStore
from nasoa.store.protocol import ArtifactStore


def open_store(uri: str) -> ArtifactStore:
    """The store at a folder's path, `file://` or `s3://bucket/prefix`; nothing is written.

    Raises:
        StoreUnavailable: no such kind of store, or it cannot be opened.
    """
    if uri.startswith("s3://"):
        # minio takes a third of a second to import.
        from nasoa.store.s3 import S3Store  # noqa: PLC0415

        return S3Store.from_uri(uri)
    if uri.startswith("file://"):
        return LocalStore(Path(unquote(urlsplit(uri).path)))
    if "://" in uri or not uri:
        raise StoreUnavailable(f"expected a store like ./.nasoa or s3://bucket/prefix, got {uri!r}")
    # A shell leaves the ~ of --store=~/x as it is.
    return LocalStore(Path(os.path.expanduser(uri)))
