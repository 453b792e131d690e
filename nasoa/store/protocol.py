"""What a store can do: whole objects under keys, and a write that only the first one wins."""

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
    """Size and time of an object."""

    size_bytes: int
    modified: datetime


class ArtifactStore(Protocol):
    """Objects by key; a key is a relative path with `/` between its parts.

    Every method raises `StoreUnavailable` where the store cannot be reached or used, and
    `InvalidInput` for a key that is not one.
    """

    @property
    def uri(self) -> str:
        """What `open_store` gives this store for."""

    def get(self, key: str) -> bytes:
        """The object's content.

        Raises:
            ObjectNotFound: there is no such object; names store and key.
        """

    def download(self, key: str, path: Path) -> None:
        """Write the object's content to a file, in pieces; errors as of `get`, or `OSError`."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object whole: readers see all of it or what was there before."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; of many at once exactly one gets True."""

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """The keys that begin with `prefix` and are greater than `after`, sorted."""

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """The bytes of each object whose key begins with `prefix`, by key."""

    def etags(self, prefix: str = "") -> dict[str, str]:
        """A text for each object that changes with its content, by key; keys as of `sizes`."""

    def stat(self, key: str) -> ObjectStat:
        """Size and time of an object; `ObjectNotFound` where there is none."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""


def check_name(name: str) -> str:
    """The name itself, if it can be a part of a key.

    Raises:
        InvalidInput: it cannot.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"expected a name of letters, digits, '.', '_' and '-', at most 100, got {name!r}"
        )
    return name


def check_key(key: str) -> str:
    """The key itself, if it is one.

    Raises:
        InvalidInput: empty, absolute, with `.` or `..` parts, backslashes or control characters,
            or too long.
    """
    parts = key.split("/")
    odd = any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in key)
    surrogate = any(0xD800 <= ord(char) <= 0xDFFF for char in key)
    if odd or surrogate or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"expected a key like 'zoo/base/v0001/zoo.json', got {key!r}")
    if len(key.encode()) > MAX_KEY_BYTES or any(len(part.encode()) > 200 for part in parts):
        raise InvalidInput(f"expected a key of at most {MAX_KEY_BYTES} bytes, got {key[:40]!r}...")
    return key
