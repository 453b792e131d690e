"""Open a store by its URI."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nasoa.duration import parse_duration
from nasoa.errors import StoreUnavailable
from nasoa.home_path import expanded
from nasoa.store.local import LocalStore
from nasoa.store.protocol import ArtifactStore
from nasoa.store.retrying import PatientStore

STORE_VARIABLE = "NASOA_STORE"
DEFAULT_STORE = "./.nasoa"
PATIENCE_VARIABLE = "NASOA_STORE_PATIENCE"


def open_store(uri: str) -> ArtifactStore:
    """Open the store at a folder's path, `file://` or `s3://bucket/prefix`; nothing is written.

    Failed requests to an S3 store are retried for the duration in NASOA_STORE_PATIENCE, like 2m.

    Raises:
        StoreUnavailable: the kind of store is unknown, or the store cannot be opened.
        TimeLimitError: NASOA_STORE_PATIENCE is not a duration.
    """
    if uri.startswith("s3://"):
        # minio takes a third of a second to import.
        from nasoa.store.s3 import S3Store  # noqa: PLC0415

        patience = os.environ.get(PATIENCE_VARIABLE)
        store = S3Store.from_uri(uri)
        return PatientStore(store, parse_duration(patience)) if patience else store
    if uri.startswith("file://"):
        return LocalStore(Path(unquote(urlsplit(uri).path)))
    if "://" in uri or not uri:
        raise StoreUnavailable(f"expected a store like ./.nasoa or s3://bucket/prefix, got {uri!r}")
    # A shell does not expand the ~ of --store=~/x.
    return LocalStore(Path(expanded(uri)))


def default_store() -> str:
    """Return the URI of the default store: NASOA_STORE, or a folder in the working directory."""
    return os.environ.get(STORE_VARIABLE, DEFAULT_STORE)
