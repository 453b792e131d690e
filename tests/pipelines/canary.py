"""Search everything that a run writes for a secret that must not leak."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from nasoa.store import ArtifactStore

# Python runs this at the start of every step's process, so that libraries log everything.
LOUD = """
import logging
logging.basicConfig(level=logging.DEBUG)
"""


def forms(secret: str) -> tuple[bytes, ...]:
    """Return the secret as is, in a URL, and the parts of its base64 free of adjacent bytes."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return (raw, quote(secret, safe="").encode(), *shifted)


def leaks(
    secrets: Iterable[str], log: str, folders: Iterable[Path], stores: Iterable[ArtifactStore]
) -> list[str]:
    """Return where a secret is found: in a log, in files and their names, or in stores."""
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
