"""The interface of a store: atomic objects under keys, with a conditional write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nasoa.errors import InvalidInput

MAX_KEY_BYTES = 900
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ObjectStat:
    """Size and modification time of an object."""

    size_bytes: int
    modified: datetime


class ArtifactStore(Protocol):
    """Objects by key; a key is a relative path with `/` between its parts.

    Every method raises `StoreUnavailable` if the store cannot be reached or used, and
    `InvalidInput` for an invalid key.
    """

    @property
    def uri(self) -> str:
        """The URI with which `open_store` opens this store."""

    def get(self, key: str) -> bytes:
        """Return the content of an object.

        Raises:
            ObjectNotFound: there is no such object; the message names store and key.
        """

    def download(self, key: str, path: Path) -> None:
        """Write the content of an object to a file, in chunks.

        Raises:
            ObjectNotFound: there is no such object.
            OSError: the file cannot be written.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write an object atomically: readers see all of it, or what was there before."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless it exists; of concurrent callers exactly one gets True."""

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """Return the keys that start with `prefix` and are greater than `after`, sorted."""

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the size in bytes of each object whose key starts with `prefix`, by key."""

    def etags(self, prefix: str = "") -> dict[str, str]:
        """Return, by key, a text that changes with the content of each object; see `sizes`."""

    def stat(self, key: str) -> ObjectStat:
        """Return size and modification time of an object.

        Raises:
            ObjectNotFound: there is no such object.
        """

    def delete(self, key: str) -> None:
        """Delete an object; do nothing if it does not exist."""


def check_name(name: str) -> str:
    """Return the name, if it can be part of a key.

    Raises:
        InvalidInput: it cannot.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"expected a name of letters, digits, '.', '_' and '-', at most 100 characters that "
            f"start with a letter or digit, got {name!r}"
        )
    return name


def check_key(key: str) -> str:
    """Return the key, if it is valid.

    Raises:
        InvalidInput: it is empty, absolute or too long, or has `.` or `..` parts, backslashes or
            control characters.
    """
    parts = key.split("/")
    odd = any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in key)
    surrogate = any(0xD800 <= ord(char) <= 0xDFFF for char in key)
    if odd or surrogate or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"expected a key like 'zoo/base/v0001/zoo.json', got {key!r}")
    if len(key.encode()) > MAX_KEY_BYTES or any(len(part.encode()) > 200 for part in parts):
        raise InvalidInput(f"expected a key of at most {MAX_KEY_BYTES} bytes, got {key[:40]!r}...")
    return key
