"""Find the shards that DATA names."""

from __future__ import annotations

import re
from pathlib import Path

from nasoa.errors import DataError

PREFIX = "shards:"
SUFFIX = ".tar"
CLASSES_FILE = "classes.txt"
EXPECTED = (
    "shards:DIR with .tar files in it, shards:DIR/train-{000000..000146}.tar, or "
    "shards:s3://bucket/prefix"
)
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 1_000_000


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
    root = Path(pattern).expanduser()
    if root.is_dir():
        paths = sorted(root.rglob(f"*{SUFFIX}"))
        if not paths:
            raise DataError(f"no {SUFFIX} files in {root}: expected {EXPECTED}")
        return paths
    paths = [Path(path).expanduser() for path in expand_braces(pattern, data)]
    missing = [path for path in paths if not path.is_file()]
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
        choices = _choices(braces[1])
        if len(done) * len(choices) > _MOST:
            raise DataError(f"{data!r} expands to more than {_MOST} shards: expected fewer")
        fixed = pattern[place : braces.start()]
        done = [start + fixed + choice for start in done for choice in choices]
        place = braces.end()
    return [start + pattern[place:] for start in done]


def _choices(text: str) -> list[str]:
    span = _RANGE.fullmatch(text)
    if span is None:
        return text.split(",")
    # As in a shell, numbers are padded to the length of the first one.
    first, last = int(span[1]), min(int(span[2]), int(span[1]) + _MOST)
    return [str(number).zfill(len(span[1])) for number in range(first, last + 1)]
