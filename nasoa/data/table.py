"""Read a table of numbers and texts from a CSV or Parquet file.

A column is numeric if all of its cells that are not empty are numbers; otherwise it is a column of
text. Empty texts, `NA`, `NaN`, `null` and `None` are empty cells. Columns without a name, and the
index that pandas writes to Parquet files, are left out. Rows are counted from 1, without the
header.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nasoa.errors import DataError, UnknownName
from nasoa.records import HIDDEN_KEY, RUN_KEY

EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>"})
TRUTH = {"true": 1.0, "false": 0.0}
PARQUET_MAGIC = b"PAR1"
# A few kilobytes of Parquet may unpack to any number of equal cells.
_MOST_CELLS = 5_000_000
_MOST_BYTES = 1024**3
# Names of columns in which some programs number the rows.
ROW_NUMBERS = re.compile(r"|__index_level_\d+__")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        source: path of the file, for messages.
        names: names of all columns.
        numbers: `(num_rows,)` float64 values of each numeric column; NaN for empty cells.
        texts: cells of each column of text; None for empty cells.
        num_rows: number of rows.
        hidden: columns that the file marks as hidden from predictors.
        run: column that the file marks as naming the training of a row, as several rows can be
            evaluations of the same training; empty if there is none.
    """

    source: str
    names: tuple[str, ...]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str | None]]
    num_rows: int
    hidden: tuple[str, ...] = ()
    run: str = ""

    def without(self, names: Collection[str]) -> Table:
        """Return the table without some columns.

        Raises:
            UnknownName: a column does not exist.
        """
        for name in names:
            self.require(name)
        return replace(
            self,
            names=tuple(name for name in self.names if name not in names),
            numbers={name: column for name, column in self.numbers.items() if name not in names},
            texts={name: column for name, column in self.texts.items() if name not in names},
            hidden=tuple(name for name in self.hidden if name not in names),
            run="" if self.run in names else self.run,
        )

    def hidden_beside(self, *shown: str) -> list[str]:
        """Return the columns that are hidden from predictors, except those in `shown`."""
        return [name for name in self.hidden if name not in shown]

    def require(self, name: str) -> None:
        """Raise `UnknownName` if the table has no such column."""
        if name not in self.names:
            raise UnknownName(f"column of {self.source}", name, self.names)


def read_table(path: str) -> Table:
    """Read a CSV file with a header, or a Parquet file.

    Raises:
        DataError: the file does not exist, cannot be read, or is not CSV or Parquet, its rows
            differ in length, a column name occurs twice, or there are no rows.
    """
    file = Path(path)
    if not os.path.isfile(file):  # Path.is_file raises for a name that is too long
        found = "it is a folder" if os.path.isdir(file) else "there is none"
        raise DataError(f"expected a CSV or Parquet file at {path}, but {found}; name a file")
    try:
        with file.open("rb") as stream:
            is_parquet = stream.read(4) == PARQUET_MAGIC
        names, columns, hidden, run = (
            _read_parquet(file) if is_parquet else (*_read_csv(file), (), "")
        )
    except OSError as error:
        raise DataError(
            f"expected to read {path}, but that failed: {error.strerror or error}; check the file "
            "and its permissions"
        ) from error
    _check_names(path, names)
    if not columns or not columns[0]:
        raise DataError(f"expected rows in {path}, but it has only a header; add some")
    numbers, texts = {}, {}
    for name, cells in zip(names, columns, strict=True):
        as_numbers = _numbers(cells)
        if as_numbers is None:
            texts[name] = cells
        else:
            numbers[name] = as_numbers
    marked = tuple(name for name in hidden if name in names)
    num_rows = len(columns[0])
    return Table(path, tuple(names), numbers, texts, num_rows, marked, run if run in names else "")


def _read_csv(file: Path) -> tuple[list[str], list[list[str | None]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"expected {file} to be CSV in UTF-8 or Parquet, but it cannot be read: {error}"
        ) from error
    if not lines:
        raise DataError(f"expected a header and rows in {file}, but it is empty")
    header, *rows = lines
    _check_separator(file, header)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise DataError(
                f"expected {len(header)} cells in every row of {file}, but row {number} has "
                f"{len(row)}; fix the row"
            )
    names = [name.strip() for name in header]
    named = [i for i, name in enumerate(names) if not ROW_NUMBERS.fullmatch(name)]
    return [names[i] for i in named], [[_cell(row[i]) for row in rows] for i in named]


def _check_separator(file: Path, header: list[str]) -> None:
    for separator, name in OTHER_SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise DataError(
                f"expected commas between the columns of {file}, but its header has {name}; write "
                "it with commas"
            )


def _read_parquet(file: Path) -> tuple[list[str], list[list[str | None]], tuple[str, ...], str]:
    import pyarrow  # noqa: PLC0415  (takes as long as everything else for a small table)
    import pyarrow.parquet  # noqa: PLC0415

    try:
        table = whole_parquet(file)
        names = table.column_names
        named = [i for i, name in enumerate(names) if not ROW_NUMBERS.fullmatch(name)]
        columns = [
            [None if value is None else _cell(str(value)) for value in table.column(i).to_pylist()]
            for i in named
        ]
        metadata = table.schema.metadata or {}
        hidden = tuple(msgspec.json.decode(metadata.get(HIDDEN_KEY, b"[]"), type=list[str]))
        run = metadata.get(RUN_KEY, b"").decode()
    # Damage causes various errors, from bytes that are not text to dates that are out of range.
    except (pyarrow.ArrowException, OSError, ValueError, ArithmeticError, RecursionError) as error:
        raise DataError(
            f"expected {file} to be Parquet, but it is truncated or damaged: {error}; save it again"
        ) from error
    return [names[i] for i in named], columns, hidden, run


def whole_parquet(file: Path) -> Any:
    """Return a Parquet file as a `pyarrow.Table`.

    Raises:
        DataError: it has more cells, or more bytes when unpacked, than a table of runs can have.
        OSError, pyarrow.ArrowException, ValueError: it is not Parquet, or damaged.
    """
    import pyarrow.parquet  # noqa: PLC0415

    with pyarrow.parquet.ParquetFile(file) as opened:
        about = opened.metadata
        groups = [about.row_group(index) for index in range(about.num_row_groups)]
        num_bytes = sum(group.total_byte_size for group in groups)
        num_rows = max(about.num_rows, sum(group.num_rows for group in groups))
        if num_rows * about.num_columns > _MOST_CELLS or num_bytes > _MOST_BYTES:
            raise DataError(
                f"expected at most {_MOST_CELLS} cells and {_MOST_BYTES} bytes in {file}, but it "
                f"has {num_rows} rows of {about.num_columns} columns, and {num_bytes} bytes when "
                "unpacked; leave out rows or columns"
            )
        return opened.read()


def _cell(text: str) -> str | None:
    stripped = text.strip()
    return None if stripped.lower() in EMPTY else stripped


def _check_names(path: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataError(
            f"expected unique column names in {path}, but {twice[0]!r} occurs more than once"
        )


def _numbers(cells: Sequence[str | None]) -> NDArray[np.float64] | None:
    """Return the cells as numbers, with true as 1 and false as 0; None if one is not a number."""
    found = np.full(len(cells), np.nan)
    for place, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            found[place] = TRUTH[cell.lower()] if cell.lower() in TRUTH else float(cell)
        except ValueError:
            return None
    return found
