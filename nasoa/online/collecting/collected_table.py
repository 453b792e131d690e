"""Tables of collected fine-tunes as files."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import msgspec

from nasoa.data.table import whole_parquet
from nasoa.errors import CorruptRecord, DataError, InvalidInput
from nasoa.partial_file import refused, whole_file
from nasoa.records import HIDDEN_KEY, RUN_KEY, CollectedRecord, from_json

# Columns known only after a run, and columns unrelated to its result: predictors may not use these.
OUTCOMES = ("accuracy", "val_accuracy", "elapsed_s", "ended")
ORIGINS = ("run_id", "seed", "num_test", "hardware", "code_version")
HIDDEN = (*OUTCOMES[1:], *ORIGINS)  # from predictors of `accuracy`
# Columns by the names that they had in earlier releases.
FORMER_NAMES = {"native_resolution": "image_resolution"}


def write_table(records: Sequence[CollectedRecord], path: Path) -> None:
    """Write records as Parquet, atomically.

    The file's metadata names the columns that no predictor of `accuracy` may use, and the column
    that identifies the training of each record.

    Raises:
        InvalidInput: there are no records, or the file cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415  (a tenth of a second, and only needed here)
    import pyarrow.parquet as pq  # noqa: PLC0415

    if not records:
        raise InvalidInput("expected a collection with records, but it has none")
    metadata = {HIDDEN_KEY: msgspec.json.encode(HIDDEN), RUN_KEY: b"run_id"}
    table = pa.Table.from_pylist([asdict(record) for record in records])
    with _writable(path) as partial:
        pq.write_table(table.replace_schema_metadata(metadata), partial, compression="zstd")


def read_table(path: Path) -> list[CollectedRecord]:
    """Read the records of a file written by `write_table`, or of one with the same columns.

    Raises:
        DataError: there is no such file, it is not Parquet, a column is missing, a cell is not of
            its column's type, or an accuracy is not from 0 to 1. The message names the row of a
            cell, counted from 1.
    """
    import pyarrow as pa  # noqa: PLC0415

    try:
        table = whole_parquet(path)
    except FileNotFoundError:
        raise DataError(f"expected a Parquet file at {path}, but there is none") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"expected {path} to be Parquet, but it cannot be read: {error}") from None
    names = [FORMER_NAMES.get(name, name) for name in table.column_names]
    table = table.rename_columns(names)
    known = fields(CollectedRecord)
    # Tables of earlier releases do not have the columns that have defaults.
    missing = [f.name for f in known if f.default is MISSING and f.name not in table.column_names]
    wanted = [f.name for f in known if f.name in table.column_names]
    if missing:
        raise DataError(
            f"expected the columns of collected runs in {path}, but these are "
            f"missing: {', '.join(missing)}; write it with nasoa meta-train --output"
        )
    try:
        rows = table.select(wanted).to_pylist()
    except (pa.ArrowException, ValueError, ArithmeticError, LookupError) as error:
        raise DataError(f"expected {path} to be Parquet, but it cannot be read: {error}") from None
    return [_record(row, number, path) for number, row in enumerate(rows, start=1)]


def records_from_json(raw: bytes, key: str) -> list[CollectedRecord]:
    """Read the records of one run from the JSON that the store has, whichever release wrote it.

    Raises:
        CorruptRecord: the JSON is not that of such records; names `key`.
    """
    rows = from_json(raw, list[dict[str, Any]], key)
    named = [{FORMER_NAMES.get(name, name): row[name] for name in row} for row in rows]
    try:
        return msgspec.convert(named, list[CollectedRecord])
    except msgspec.ValidationError as error:
        raise CorruptRecord(key, str(error)) from None


def write_csv(records: Sequence[CollectedRecord], path: Path) -> None:
    """Write records as CSV, atomically.

    The columns that no predictor may use are left out, except `accuracy`.

    Raises:
        InvalidInput: the file cannot be written.
    """
    kept = [f.name for f in fields(CollectedRecord) if f.name not in HIDDEN]
    with _writable(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(asdict(record) for record in records)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[Path]:
    """Open `whole_file` in a folder that is created if it does not exist.

    Raises:
        InvalidInput: the file cannot be written.
    """
    with refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            yield partial


def _record(row: dict[str, object], number: int, path: Path) -> CollectedRecord:
    try:
        record = msgspec.convert(row, CollectedRecord)
    except msgspec.ValidationError as error:
        raise DataError(f"row {number} of {path} cannot be read: {error}") from None
    for name in ("accuracy", "val_accuracy"):
        value = getattr(record, name)
        # This form of the comparison rejects NaN too.
        if not 0.0 <= value <= 1.0:
            raise DataError(
                f"expected {name} from 0 to 1 in {path}, got {value:g} in row {number}; "
                "correct or remove the row"
            )
    return record
