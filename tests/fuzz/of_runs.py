"""Tables of runs, CSV or Parquet: `predictor evaluate`, and collected runs that are learned."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nasoa.data.table import read_table as read_any
from nasoa.online.collecting.collected_table import HIDDEN, read_table
from nasoa.online.collecting.starter import TABLE
from nasoa.online.evaluation.task_table import task_table
from nasoa.online.regimes.tabulate import tabulate_collected
from nasoa.records import HIDDEN_KEY, RUN_KEY
from tests.fuzz.given import place
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_INTS, damaged, damaged_text, odd_text, often, reordered, some

# The reader, and the file.
Case = tuple[str, bytes]
ROWS = 6


@cache
def rows() -> list[dict[str, Any]]:
    """Some of the runs that come with the package, of several data sets."""
    found = [asdict(record) for record in read_table(TABLE)]
    return found[:: len(found) // ROWS][:ROWS]


def _parquet(columns: dict[str, list[Any]], metadata: dict[bytes, bytes], **options: Any) -> bytes:
    table = pa.table(columns).replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def _csv(cells: list[list[str]], separator: str = ",") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator="\n").writerows(cells)
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _of_parquet(rng: Random) -> bytes:
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows()] for name in rows()[0]}
    metadata = {HIDDEN_KEY: str(list(HIDDEN)).replace("'", '"').encode(), RUN_KEY: b"run_id"}
    for _ in often(rng):
        name = some(rng, sorted(columns) or ["x"])
        choice = rng.randrange(7)
        if choice <= 1 and name in columns:
            columns[name] = [_cell(rng, value) for value in columns[name]]
        elif choice == 2:
            columns.pop(name, None)
        elif choice == 3:
            columns[odd_text(rng)[:200].encode("utf-8", "replace").decode()] = columns.get(
                name, [1] * ROWS
            )
        elif choice == 4:
            odd = (
                b"",
                b"[",
                b"[" * 5000,
                b"5",
                b'"x"',
                b'["accuracy"]',
                b"\xff",
                b"[null]",
                b"[[]]",
            )
            metadata[rng.choice((HIDDEN_KEY, RUN_KEY))] = some(rng, odd)
        elif choice == 5 and name in columns:
            values = {"a": [1, 2], "b": b"\xff\xfe", "c": {"d": 1}, "e": 2**70, "f": None, "g": []}
            columns[name] = [some(rng, list(values.values()))] * ROWS
        elif name in columns:
            columns[name] = [some(rng, (float("nan"), float("inf"), -1.0, 1e308))] * ROWS
    if rng.random() < 0.02:
        return _many_rows()
    options = {"compression": rng.choice(("zstd", "snappy", "gzip", "none", "brotli"))}
    try:
        return _parquet(columns, metadata, use_dictionary=rng.random() < 0.6, **options)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return _whole_parquet()


@cache
def _many_rows() -> bytes:
    """Very many equal rows in few bytes."""
    columns = {name: pa.repeat(0.5, 3_000_000) for name in ("accuracy", "lr")}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _cell(rng: Random, value: Any) -> Any:
    if isinstance(value, str):
        return rng.choice((value, value, odd_text(rng).encode("utf-8", "replace").decode()))
    if isinstance(value, bool):
        return rng.choice((value, None))
    if isinstance(value, int):
        return rng.choice((value, 0, -1, 2**31, 2**62, None, value + 1))
    return rng.choice((value, 0.0, -1.0, 1e308, 1e-320, None, 2.0))


@cache
def _whole_parquet() -> bytes:
    columns = {name: [row[name] for row in rows()] for name in rows()[0]}
    metadata = {HIDDEN_KEY: str(list(HIDDEN)).replace("'", '"').encode(), RUN_KEY: b"run_id"}
    return _parquet(columns, metadata, compression="none", use_dictionary=False)


def _of_csv(rng: Random) -> bytes:
    names = [name for name in rows()[0] if name not in HIDDEN]
    cells = [names, *([str(row[name]) for name in names] for row in rows())]
    for _ in often(rng):
        row = some(rng, cells) if cells else []
        choice = rng.randrange(6)
        if choice <= 1 and row:
            odd = (
                odd_text(rng),
                str(some(rng, ODD_INTS)),
                "",
                "NaN",
                "inf",
                "1_0",
                "\u0661",
                "0x1",
            )
            row[rng.randrange(len(row))] = some(rng, odd)
        elif choice == 2:
            reordered(rng, row)
        elif choice == 3:
            reordered(rng, cells)
        elif choice == 4 and row:
            at = rng.randrange(len(row))
            row[at] = damaged_text(rng, row[at])
        elif row:
            at = rng.randrange(len(row))
            for other in cells[1:]:
                if at < len(other):
                    other[at] = odd_text(rng)[:100]
    raw = _csv(cells, rng.choice((",", ",", ",", ";", "\t")))
    if rng.random() < 0.1:
        raw = raw.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "utf-32")))
    return raw


def make(rng: Random) -> Case:
    reader = rng.choice(("any", "any", "collected"))
    choice = rng.random()
    if choice < 0.45 and reader == "any":
        raw = _of_csv(rng)
    elif choice < 0.7:
        raw = _of_parquet(rng)
    else:
        raw = damaged(rng, _whole_parquet())
    return reader, damaged(rng, raw) if rng.random() < 0.2 else raw


def run(case: Case, folder: Path) -> None:
    reader, raw = case
    path = place(folder, "runs.parquet" if raw[:4] == b"PAR1" else "runs.csv", raw)
    if reader == "collected":
        table = tabulate_collected(read_table(path))
        assert len(table) > 0
    else:
        found = task_table(read_any(str(path)), "accuracy", "dataset")
        assert ((found.targets >= 0) & (found.targets <= 1)).all()


def warm_up() -> Iterable[Case]:
    _many_rows()
    names = [name for name in rows()[0] if name not in HIDDEN]
    cells = [names, *([str(row[name]) for name in names] for row in rows())]
    return [("any", _csv(cells)), ("any", _whole_parquet()), ("collected", _whole_parquet())]


KIND = Kind(make, run, warm_up)
