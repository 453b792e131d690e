"""A secret that must stay where it is: what a run writes is searched for it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from nasoa.store import ArtifactStore

# Python reads it at the start of every step's process, so that libraries tell all they do.
LOUD = """
import logging
logging.basicConfig(level=logging.DEBUG)
"""


def forms(secret: str) -> tuple[bytes, ...]:
    """The secret as it is, in a URL, and the part of its base64 that no neighbour changes."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return (raw, quote(secret, safe="").encode(), *shifted)


def leaks(
    secrets: Iterable[str], log: str, folders: Iterable[Path], stores: Iterable[ArtifactStore]
) -> list[str]:
    """Where a secret is found: in a log, in files of folders or their names, or in stores."""
    wanted = [form for secret in secrets for form in forms(secret)]
    return [
        where
        for where, content in _contents(log, folders, stores)
        if any(form in where.encode() or form in content for form in wanted)
    ]


def _contents(
    log: str, folders: Iterable[Path], stores: Iterable[ArtifactStore]
) -> Iterator[tuple[str, bytes]]:
    yield "the log", log.encode()
    for folder in folders:
        for path in folder.rglob("*"):
            yield str(path), path.read_bytes() if path.is_file() else b""
    for store in stores:
        for key in store.list(""):
            yield key, store.get(key)
