"""Find the shards that DATA names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nasoa.errors import DataError
from nasoa.home_path import expanded
from nasoa.whole_number import whole_number

PREFIX = "shards:"
SUFFIX = ".tar"
CLASSES_FILE = "classes.txt"
EXPECTED = (
    "shards:DIR with .tar files in it, shards:DIR/train-{000000..000146}.tar, or "
    "shards:s3://bucket/prefix"
)
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)", re.ASCII)
_MOST = 500_000
_MOST_BYTES = 100_000_000  # of all paths together
_TEXT_BYTES = 50  # of a text beside its characters
_MOST_DIGITS = 18
_LAST = 10**_MOST_DIGITS - 1


def find_shards(pattern: str, data: str) -> list[Path]:
    """Return the shards in a folder and its subfolders, sorted, or those of a pattern in order.

    Args:
        pattern: a folder, or a path with braces that expand to several paths: `{000..146}`,
            `{train,val}`.
        data: DATA, for messages.

    Raises:
        DataError: there are no shards, or a shard of the pattern is missing.
    """
    if not pattern:
        raise DataError(f"{data!r} names no shards: expected {EXPECTED}")
    root = Path(expanded(pattern))
    if os.path.isdir(root):  # Path.is_dir raises for a name that is too long
        # Unlike Path.rglob, os.walk goes on if a folder is removed meanwhile.
        paths = sorted(
            Path(folder, name)
            for folder, _folders, names in os.walk(root)
            for name in names
            if name.endswith(SUFFIX)
        )
        if not paths:
            raise DataError(f"no {SUFFIX} files in {root}: expected {EXPECTED}")
        return paths
    paths = [Path(expanded(path)) for path in expand_braces(pattern, data)]
    missing = [path for path in paths if not os.path.isfile(path)]
    if len(missing) == len(paths):
        raise DataError(f"no shards match {data!r}: expected {EXPECTED}")
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(paths)} shards of {data!r} are missing, the first: "
            f"{missing[0]}; correct the pattern, or copy them"
        )
    return paths


def expand_braces(pattern: str, data: str) -> list[str]:
    """Return all texts that the braces of a pattern expand to.

    >>> expand_braces("{train,val}-{08..10}.tar", "")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    done = [""]
    place = 0
    for braces in _BRACES.finditer(pattern):
        choices = _choices(braces[1], data)
        count = len(done) * len(choices)
        most = min(_MOST, _MOST_BYTES // (len(pattern) + _TEXT_BYTES))
        if count > most:
            raise DataError(f"{data!r} expands to more than {most} shards: expected fewer")
        fixed = pattern[place : braces.start()]
        done = [start + fixed + choice for start in done for choice in choices]
        place = braces.end()
    return [start + pattern[place:] for start in done]


def _choices(text: str, data: str) -> list[str]:
    span = _RANGE.fullmatch(text)
    if span is None:
        return text.split(",")
    first, last = whole_number(span[1], _LAST), whole_number(span[2], _LAST)
    width = len(span[1])  # as in a shell, numbers are padded to the length of the first
    if first is None or last is None or width > _MOST_DIGITS:
        raise DataError(f"{data!r} has numbers of more than {_MOST_DIGITS} digits: expected fewer")
    return [str(number).zfill(width) for number in range(first, min(last, first + _MOST) + 1)]
