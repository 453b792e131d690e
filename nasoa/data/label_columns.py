"""Find the columns of a table that hold the path, the label, and the split of images.

The path is in the column whose cells are files. The label is in the column with a name like `label`
or `class`, or in the only other column, or in several columns of 0 and 1 with a single 1 in each
row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nasoa.data.split_names import split_kind
from nasoa.errors import DataError

# Preferred patterns come first.
_LABEL_NAMES = (
    re.compile(r"labels?"),
    re.compile(r"(label|class|category|target)[ _-]?(name|text|str|string)s?"),
    re.compile(r"class(es)?|category|categories|targets?|y|species|breed|diagnosis|dx"),
    re.compile(r".*(label|class|category|target).*"),
    re.compile(
        r"cls|condition|disease|emotion|finding|ground[ _-]?truth|gt|kind|tags?|type|variety"
    ),
)
_SPLIT_NAMES = re.compile(r"is[ _-]?(train|valid|val|test)(?:ing|idation)?(?:[ _-]?set)?")
_TRUE = frozenset(("1", "1.0", "true", "yes"))
_FALSE = frozenset(("0", "0.0", "false", "no"))
_SAMPLE = 1000
# A row may have thousands of cells; each is looked for among the images.
_SAMPLED_CELLS = 20_000
_FEWEST_ROWS = 10
_SHOWN = 8


class NoLabels(DataError):
    """A table without labels of the images."""


@dataclass(frozen=True)
class LabelRow:
    """The cells of a row that hold the path, the label, and the split ("" without a column)."""

    path: str
    label: str
    split: str


def label_rows(
    rows: Sequence[Sequence[str]], is_file: Callable[[str], bool], where: str
) -> list[LabelRow]:
    """Return the path, label and split of each row of a table.

    Args:
        rows: rows of equal length, the first of which may be a header.
        is_file: function that tells whether a cell names an image.
        where: the table, for messages.

    Raises:
        NoLabels: no column names files, or it is not clear which column is the label.
    """
    path = _path_column(rows, is_file, where)
    has_header = not is_file(rows[0][path])
    header = [cell.strip() for cell in rows[0]] if has_header else []
    # Tables that were joined have the header again.
    body = [row for row in rows if row != rows[0]] if has_header else rows
    others = [column for column in range(len(rows[0])) if column != path]
    splits = {column: of for column in others if (of := _splits_of(body, column, header))}
    split = next(iter(splits)) if splits and len(others) > 1 else None
    others = [c for c in others if c != split and not _names_a_split(header, c)]
    label = _label_of(body, others, header, where)
    return [
        LabelRow(row[path], label(row), "" if split is None else splits[split][row[split]])
        for row in body
    ]


def _path_column(rows: Sequence[Sequence[str]], is_file: Callable[[str], bool], where: str) -> int:
    sample = rows[: 1 + max(_FEWEST_ROWS, min(_SAMPLE, _SAMPLED_CELLS // len(rows[0])))]
    found = [
        len({row[column] for row in sample if is_file(row[column])})
        for column in range(len(rows[0]))
    ]
    best = found.index(max(found))
    # The header is not a file, and the table may list test images that do not exist.
    if 2 * found[best] < len({row[best] for row in sample}) - 1 or found[best] == 0:
        raise NoLabels(
            f"no column of {where} names existing image files: expected a column of paths relative "
            "to it and a column of labels"
        )
    return best


def _splits_of(body: Sequence[Sequence[str]], column: int, header: Sequence[str]) -> dict[str, str]:
    """Return the kind of split of each cell of a column; empty if the column tells no splits."""
    values = {row[column] for row in body}
    named = _names_a_split(header, column)
    if named and all(value.strip().lower() in _TRUE | _FALSE for value in values):
        yes = split_kind(named[1])
        no = "test" if yes == "train" else "train"
        return {value: yes if value.strip().lower() in _TRUE else no for value in values}
    kinds = {value: split_kind(value.strip()) for value in values}
    return kinds if "train" in kinds.values() and all(kinds.values()) else {}


def _names_a_split(header: Sequence[str], column: int) -> re.Match[str] | None:
    return _SPLIT_NAMES.fullmatch(header[column].lower()) if header else None


def _label_of(
    body: Sequence[Sequence[str]], others: Sequence[int], header: Sequence[str], where: str
) -> Callable[[Sequence[str]], str]:
    """Return the function from a row to its label."""
    named = [
        column
        for pattern in _LABEL_NAMES
        for column in others
        if header and pattern.fullmatch(header[column].lower())
    ]
    useful = [column for column in others if len({row[column] for row in body}) > 1]
    repeated = [c for c in useful if 2 * len({row[c] for row in body}) <= len(body)]
    words = [c for c in repeated if not all(_is_number(row[c]) for row in body)]
    indicators = [
        column
        for column in others
        if all(row[column].strip().lower() in _TRUE | _FALSE for row in body)
    ]
    if header and len(indicators) > 1 and _one_in_each(body, indicators) and not named:
        return lambda row: next(header[column] for column in indicators if _is_true(row[column]))
    chosen = next(
        (found[0] for found in (named, *_single(others, useful, repeated, words)) if found), None
    )
    if chosen is None:
        names = [header[c] if header else f"number {c + 1}" for c in others]
        raise NoLabels(
            f"expected one column of labels in {where} besides the column of paths, got "
            f"{', '.join(names[:_SHOWN]) or 'none'}; name the column of labels 'label'"
        )
    return lambda row: row[chosen]


def _single(*choices: Sequence[int]) -> list[Sequence[int]]:
    return [columns for columns in choices if len(columns) == 1]


def _one_in_each(body: Sequence[Sequence[str]], columns: Sequence[int]) -> bool:
    return all(sum(_is_true(row[column]) for column in columns) == 1 for row in body)


def _is_true(cell: str) -> bool:
    return cell.strip().lower() in _TRUE


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True
