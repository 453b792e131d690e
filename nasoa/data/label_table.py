"""Read the classes of images from tables (CSV) of paths and labels."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from nasoa.config import DataConfig
from nasoa.data.class_names import readable, united
from nasoa.data.decode import read_bounded
from nasoa.data.file_kinds import IMAGE_SUFFIXES, suffix_of
from nasoa.data.groups import group_of, tell_groups
from nasoa.data.label_columns import LabelRow, NoLabels, label_rows
from nasoa.data.source import ImageRecord
from nasoa.data.split_names import decided, split_kind
from nasoa.errors import DataError

TABLE_SUFFIXES = (".csv", ".tsv")
_SEPARATORS = ",;\t|"
_MOST_COLUMNS = 10_000

logger = logging.getLogger(__name__)


def labelled(
    tables: Sequence[str],
    images: Sequence[str],
    read: Callable[[str], bytes],
    data: str,
    config: DataConfig,
) -> dict[str, ImageRecord]:
    """Return the records of all images with a label in a table, by path and in the order of paths.

    The split of an image comes from a column of splits, or else from the name or the folders of the
    table (`train.csv`), or else from the folders of the image.

    Args:
        tables: paths of CSV files, relative to the data set; tables without labels are skipped if
            another one has labels.
        images: paths of the existing images.
        read: function that returns the bytes of a table.
        data: DATA, for messages.
        config: limits.

    Raises:
        NoLabels: no table has labels of these images.
        DataError: an image has two labels, or the fraction of missing files is above
            `config.max_bad_share`.
    """
    find = _Finder(images)
    found: dict[str, tuple[str, str]] = {}
    problems: list[NoLabels] = []
    missing: list[str] = []
    for table in tables:
        try:
            rows = label_rows(
                _read(read(table), f"{table} of {data}"), find.in_folder(table), table
            )
        except NoLabels as error:
            problems.append(error)
            continue
        for row, path, split in _matched(rows, table, find, missing):
            label = readable(row.label.strip())
            if found.setdefault(path, (label, split))[0] != label:
                raise DataError(
                    f"{table} of {data} has two labels for {path}, {found[path][0]!r} and "
                    f"{label!r}: expected one label per image"
                )
    if not found:
        raise problems[0] if problems else NoLabels(f"no labels in {', '.join(tables)} of {data}")
    _tell(found, images, missing, problems, data, config)
    splits = decided({path: kind for path, (_label, kind) in found.items() if kind})
    if "train" not in splits.values():
        splits = {}
    records = {
        path: ImageRecord(path, label, splits.get(path, ""), group_of(posixpath.basename(path)))
        for path, (label, _kind) in sorted(found.items())
    }
    tell_groups(records.values(), data)
    return united(records, data)


def files_of_table(path: Path, config: DataConfig) -> list[str] | None:
    """Return the name of a table and the paths of the files that it names.

    This avoids a search through the folder of the table. If most rows are not paths of files (but
    names of files in subfolders, or names without a suffix), the result is None.

    Args:
        path: path of a CSV file.
        config: limits.

    Raises:
        DataError: the file is not a table, or is larger than `config` allows.
    """
    with path.open("rb") as file:
        rows = _read(read_bounded(file, str(path), config.max_file_bytes), str(path))
    columns = zip(*rows, strict=True)
    named = max(
        ([cell for cell in column if _is_file(path.parent, cell)] for column in columns), key=len
    )
    return [path.name, *dict.fromkeys(named)] if 2 * len(named) >= len(rows) - 1 else None


def _is_file(folder: Path, cell: str) -> bool:
    return bool(cell) and suffix_of(cell) != "" and os.path.isfile(os.path.join(folder, cell))


class _Finder:
    """Finds images by the cells of tables: paths, URLs, names, or names without a suffix.

    If no image has exactly this name, case, the suffix, and zeros before a number are ignored.
    """

    def __init__(self, images: Sequence[str]) -> None:
        self._paths = {_plain(path): path for path in images}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in images:
            name = posixpath.basename(_plain(path))
            self._by_name[name].append(path)
            if PurePosixPath(name).stem != name:
                self._by_name[PurePosixPath(name).stem].append(path)
            self._by_stem[_loose(name)].append(path)

    def find(self, cell: str, folder: str) -> str | None:
        """Return the image that a cell names; None if there is none, or more than one.

        Args:
            cell: cell of a table.
            folder: folder of the table, relative to the data set.
        """
        text = _plain(cell)
        for candidate in (posixpath.normpath(posixpath.join(folder, text)), text):
            if candidate in self._paths:
                return self._paths[candidate]
        name = posixpath.basename(text)
        return _only(self._by_name.get(name, []), text, folder, _stemmed) or _only(
            self._by_stem.get(_loose(name), []),
            text,
            folder,
            _loosely_stemmed,
        )

    def in_folder(self, table: str) -> Callable[[str], bool]:
        """Return a function that tells whether a cell of a table names an image."""
        folder = posixpath.dirname(table)
        return lambda cell: bool(cell.strip()) and self.find(cell, folder) is not None


def _only(
    named: Sequence[str], text: str, folder: str, simplified: Callable[[str], str]
) -> str | None:
    """Return the only one of the images with a name that a path can mean."""
    # A path from another machine ends like a path here. A name alone must be unique.
    alike = [path for path in named if simplified(path).endswith("/" + simplified(text))]
    beside = [path for path in named if posixpath.dirname(path).startswith(folder)]
    return next((paths[0] for paths in (alike, named, beside) if len(paths) == 1), None)


def _loose(name: str) -> str:
    stem = _stemmed(name).casefold()
    return stem.lstrip("0") or "0" if stem.isdigit() else stem


def _matched(
    rows: Sequence[LabelRow], table: str, find: _Finder, missing: list[str]
) -> Iterator[tuple[LabelRow, str, str]]:
    """Yield rows with a label, each with its image and the kind of split.

    Paths of missing images are appended to `missing`.
    """
    folder = posixpath.dirname(table)
    parts = [PurePosixPath(table).stem, *PurePosixPath(folder).parts]
    of_table = next((kind for kind in map(split_kind, parts) if kind), "")
    for row in rows:
        if not row.label.strip():
            continue
        path = find.find(row.path, folder)
        if path is None:
            missing.append(row.path)
            continue
        of_path = (split_kind(part) for part in PurePosixPath(path).parts[:-1])
        kinds = (split_kind(row.split.strip()), of_table, *of_path)
        yield row, path, next((kind for kind in kinds if kind), "")


def _tell(
    found: dict[str, tuple[str, str]],
    images: Sequence[str],
    missing: Sequence[str],
    problems: Sequence[NoLabels],
    data: str,
    config: DataConfig,
) -> None:
    """Log what was left out.

    Raises:
        DataError: the fraction of missing files is above `config.max_bad_share`.
    """
    for error in problems:
        logger.warning("%s: a table is ignored: %s", data, error)
    if len(missing) > config.max_bad_share * (len(found) + len(missing)):
        raise DataError(
            f"{len(missing)} of the {len(found) + len(missing)} images that the table of {data} "
            f"names are missing (expected at most {config.max_bad_share:.0%}), the first: "
            f"{missing[0]}; copy them, or remove their rows"
        )
    unlabelled = len(images) - len(found)
    if missing or unlabelled:
        logger.warning(
            "%s: labels come from a table; %d files that it names are missing, and %d images have "
            "no label in it and are left out",
            data,
            len(missing),
            unlabelled,
        )


def _read(raw: bytes, where: str) -> list[list[str]]:
    """Return the cells of a CSV file with any of the usual separators.

    Raises:
        NoLabels: the file is not a table.
    """
    import pandas  # noqa: PLC0415  (takes a second)

    text, separator = _separated(_decoded(raw))
    try:
        _check_width(text, separator, where)
        table = pandas.read_csv(
            io.StringIO(text),
            header=None,
            dtype=object,
            keep_default_na=False,
            sep=separator,
            skipinitialspace=True,
        )
    except (csv.Error, ValueError) as error:  # pandas' own are of the latter
        problem = " ".join(str(error).split())
        raise NoLabels(f"{where} cannot be read as a table: {problem}") from None
    # Shorter rows have no cells at their end.
    rows: list[list[str]] = table.to_numpy(dtype=object, na_value="").tolist()
    return [[_unquoted(cell) for cell in row] for row in rows]


def _decoded(raw: bytes) -> str:
    """Return the text of a table in UTF-8, in UTF-16 (as Excel's "Unicode text"), or in cp1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _separated(text: str) -> tuple[str, str]:
    """Return the rows of a table and what separates their cells.

    Excel writes the separator in a line before the header. Comments may be there as well. Spaces
    separate cells if there is nothing else and all rows have the same number of them.
    """
    stated = re.match(r"sep=([,;\t|])\s*?\r?\n", text)
    if stated:
        return text[stated.end() :], stated[1]
    lines = text.split("\n")
    start = next((n for n, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    if start and any(separator in lines[0] for separator in _SEPARATORS):
        start = 0  # a header may begin with #
    first = lines[start]
    separator = max(_SEPARATORS, key=first.count)
    numbers = {len(line.split()) for line in lines[start:] if line.strip()}
    if separator not in first and len(numbers) == 1:
        return "\n".join(" ".join(line.split()) for line in lines[start:]), " "
    return "\n".join(lines[start:]), separator


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == "'" else cell


def _check_width(text: str, separator: str, where: str) -> None:
    """Refuse a table whose first row has too many cells: pandas takes long for each column.

    Raises:
        NoLabels: it has.
        csv.Error: the row cannot be read.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns = next((len(row) for row in rows if row), 0)
    if columns > _MOST_COLUMNS:
        raise NoLabels(f"{where} has {columns} columns: expected at most {_MOST_COLUMNS}")


def _plain(path: str) -> str:
    text = path.strip().replace("\\", "/")
    if "://" in text:
        text = unquote(re.split(r"[?#]", text, maxsplit=1)[0])
    return unicodedata.normalize("NFC", text).removeprefix("./")


def _stemmed(path: str) -> str:
    plain = _plain(path)
    suffix = suffix_of(plain)
    return plain[: -len(suffix)] if suffix in IMAGE_SUFFIXES else plain


def _loosely_stemmed(path: str) -> str:
    return _stemmed(path).casefold()
