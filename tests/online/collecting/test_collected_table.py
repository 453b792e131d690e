"""Collected runs as Parquet: round trips, and tables that are foreign or damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasoa.data.table import read_table as read_any_table
from nasoa.errors import CorruptRecord, DataError, InvalidInput
from nasoa.online.collecting.collected_table import (
    OUTCOMES,
    read_table,
    records_from_json,
    write_csv,
    write_table,
)
from nasoa.online.evaluation.task_table import task_table
from nasoa.records import BN_ALL, BN_FIXED, CollectedRecord, to_json
from tests.full_disk import largest_file

RECORD = CollectedRecord(
    dataset="shapes", run_id="known-000003", num_classes=4, num_images=200,
    mean_images_per_class=50.0, std_images_per_class=0.0, domain_similarity=0.9,
    landmark_accuracy=0.6, image_resolution=64, mirror_safe=True, model="m", model_family="f",
    model_params=10**6, model_macs=10**7, model_activations=10**5, model_resolution=64,
    model_source="s", model_source_classes=200, model_source_accuracy=0.3, lr=0.1,
    lr_schedule="cosine", frozen_stages=-1, cached_features=False, iterations=100, batch_size=64,
    resolution=64, accuracy=0.7, val_accuracy=0.72, elapsed_s=4.5, ended="iterations",
    num_test=100, seed=1, hardware="cpu", code_version="1",
)  # fmt: skip
PROBED = replace(
    RECORD,
    bn=BN_FIXED,
    fitted_head=True,
    probe_resolution=96,
    probe_accuracy=0.75,
    probe_reference_accuracy=0.5,
)
RECORDS = [
    RECORD,
    replace(RECORD, run_id="known-000004", landmark_accuracy=None, accuracy=0.0),
    PROBED,
]
# Columns that tables of earlier releases do not have, and their defaults.
NEW = {
    "bn": BN_ALL,
    "fitted_head": False,
    "probe_resolution": None,
    "probe_accuracy": None,
    "probe_reference_accuracy": None,
}
CONTRACT = {
    "dataset", "model", "run_id", "lr", "frozen_stages", "iterations", "batch_size", "resolution",
    "accuracy", "elapsed_s",
}  # fmt: skip


def spoilt(path: Path, **cells: object) -> Path:
    """Write a file whose second row has other cells."""
    rows = [asdict(record) for record in RECORDS]
    rows[1].update(cells)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_what_a_run_came_to_is_no_column_of_a_predictor(tmp_path: Path) -> None:
    path = tmp_path / "known.parquet"
    write_table([RECORD, replace(RECORD, dataset="flowers")], path)
    table = read_any_table(str(path))
    rows = task_table(table, "accuracy", "dataset")
    assert set(OUTCOMES) - {"accuracy"} < set(table.hidden)
    assert rows.layout.num_columns == len(table.names) - len(table.hidden) - 1


def test_tables_and_runs_of_earlier_releases_are_read(tmp_path: Path) -> None:
    """They call the images' resolution native, and lack the newest columns."""
    rows = [{k: v for k, v in asdict(r).items() if k not in NEW} for r in RECORDS[:2]]
    for row in rows:
        row["native_resolution"] = row.pop("image_resolution")
    path = tmp_path / "known.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert read_table(path) == RECORDS[:2]
    assert records_from_json(to_json(rows), "run") == RECORDS[:2]
    assert records_from_json(to_json(RECORDS), "run") == RECORDS
    for damaged in (b"[", b"[1]", b'[{"dataset": "x"}]', to_json([{**rows[0], "lr": -1.0}])):
        with pytest.raises(CorruptRecord, match="run"):
            records_from_json(damaged, "run")


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "known.parquet"
    write_table(RECORDS, path)
    assert read_table(path) == RECORDS
    assert set(pq.read_table(path).column_names) >= CONTRACT | set(OUTCOMES)
    assert [file.name for file in path.parent.iterdir()] == ["known.parquet"]


def test_more_columns_and_another_order_do_no_harm(tmp_path: Path) -> None:
    rows = [{"note": "mine", **dict(reversed(asdict(record).items()))} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet") == RECORDS


def test_tables_of_earlier_releases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(RECORDS, path)
    pq.write_table(pq.read_table(path).drop_columns(list(NEW)), path)
    assert read_table(path) == [replace(record, **NEW) for record in RECORDS]


@pytest.mark.parametrize("name", NEW)
def test_each_of_the_later_columns_may_lack(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.parquet"
    write_table(RECORDS, path)
    pq.write_table(pq.read_table(path).drop_columns([name]), path)
    assert read_table(path) == [replace(record, **{name: NEW[name]}) for record in RECORDS]


def test_what_a_model_was_probed_at_is_seen_by_predictors(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(RECORDS, path)
    table = read_any_table(str(path))
    assert set(NEW) <= set(table.names)
    assert not set(NEW) & set(table.hidden)


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has none"):
        write_table([], tmp_path / "t.parquet")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InvalidInput, match="can be written"):
        write_table(RECORDS, tmp_path / "file" / "t.parquet")


@pytest.mark.parametrize("write", [write_table, write_csv])
def test_a_full_disk_leaves_the_file_that_was_there(
    tmp_path: Path, write: Callable[[Sequence[CollectedRecord], Path], None]
) -> None:
    path = tmp_path / "t"
    write(RECORDS, path)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="can be written"), largest_file(100):
        write(RECORDS * 100, path)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [71.5, -0.01, float("nan"), float("inf")])
def test_accuracy_out_of_range_names_the_row(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match=r"row 2 of .* [<>]= [01]\.0 - at `\$\.accuracy`"):
        read_table(spoilt(tmp_path / "t.parquet", accuracy=value))


def test_a_cell_that_is_empty_names_row_and_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2 .*iterations"):
        read_table(spoilt(tmp_path / "t.parquet", iterations=None))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(RECORDS, path)
    pq.write_table(pq.read_table(path).drop_columns(["lr", "accuracy"]), path)
    with pytest.raises(DataError, match="missing: lr, accuracy"):
        read_table(path)


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is none"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="to be Parquet"):
        read_table(tmp_path / "t.parquet")


def test_cells_that_have_no_value_in_python(tmp_path: Path) -> None:
    columns = {name: [value] for name, value in asdict(RECORD).items()}
    far = pa.array([10**12], type=pa.timestamp("s"))
    pq.write_table(pa.table({**columns, "lr": far}), tmp_path / "runs.parquet")
    with pytest.raises(DataError, match="but it cannot be read: "):
        read_table(tmp_path / "runs.parquet")


def test_a_table_that_unpacks_to_very_many_cells_is_refused_unread(tmp_path: Path) -> None:
    equal = pa.repeat(0.5, 6_000_000)
    pq.write_table(pa.table({"lr": equal}), tmp_path / "runs.parquet")
    with pytest.raises(DataError, match="expected at most 5000000 cells"):
        read_table(tmp_path / "runs.parquet")
