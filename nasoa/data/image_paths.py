"""Find the image files that a user names: files, folders, patterns, and standard input."""

from __future__ import annotations

import glob
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasoa.data.file_kinds import IMAGE_SUFFIXES, suffix_of
from nasoa.data.folder import files_below
from nasoa.errors import DataError
from nasoa.home_path import expanded

STANDARD_INPUT = "-"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundImages:
    """Paths of image files.

    Args:
        paths: paths in the order of the arguments; can be read once.
        count: number of paths; None if they come from standard input.
    """

    paths: Iterator[str]
    count: int | None


def find_images(arguments: Sequence[str], standard_input: Iterable[bytes]) -> FoundImages:
    """Find the image files that arguments name.

    An argument is one of these:

    - a file, whatever it contains and whether or not it exists;
    - a folder, for all files below it with the suffix of an image format, sorted;
    - a pattern with `*`, `?` or `[...]` (`**` for any number of folders) that is not itself a file,
      for all files that match and all images in folders that match, sorted;
    - `-`, for paths on standard input, one per line, which are read as they are needed.

    A `~` at the start of an argument is the home folder; a shell does not expand that of a quoted
    pattern.

    Args:
        arguments: arguments of the user.
        standard_input: lines with paths.

    Raises:
        DataError: no argument names an image, or a folder cannot be read.
    """
    parts: list[Iterable[str]] = []
    without: list[str] = []
    count = 0
    for argument in arguments:
        if argument == STANDARD_INPUT:
            parts.append(_lines(standard_input))
            continue
        found = _named_by(expanded(argument))
        if not found:
            without.append(argument)
        parts.append(found)
        count += len(found)
    paths = itertools.chain.from_iterable(parts)
    first = next(paths, None)
    if first is None:
        raise DataError(
            f"no images in {' '.join(arguments)}: expected image files, folders or patterns with "
            "image files, or - for paths on standard input"
        )
    for argument in without:
        logger.warning("no images in %s", argument)
    counted = None if STANDARD_INPUT in arguments else count
    return FoundImages(itertools.chain([first], paths), counted)


def _named_by(argument: str) -> list[str]:
    if os.path.isdir(argument):
        return _in_folder(argument)
    if os.path.lexists(argument) or not glob.has_magic(argument):
        return [argument]
    found: dict[str, None] = {}
    for match in sorted(glob.iglob(argument, recursive=True)):
        # `**` matches folders and also the files in them, so paths may repeat.
        found |= dict.fromkeys(_in_folder(match) if os.path.isdir(match) else [match])
    return list(found)


def _in_folder(folder: str) -> list[str]:
    return [
        os.path.join(folder, path)
        for path in sorted(files_below(Path(folder)))
        if suffix_of(path) in IMAGE_SUFFIXES
    ]


def _lines(standard_input: Iterable[bytes]) -> Iterator[str]:
    try:
        for line in standard_input:
            path = line.rstrip(b"\r\n")
            if path:
                yield os.fsdecode(path)
    except OSError as error:
        raise DataError(
            f"expected paths on standard input, but it cannot be read: {error.strerror or error}; "
            "redirect a file or a pipe to it"
        ) from None
