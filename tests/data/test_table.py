"""Tables are read from CSV and Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasoa.data.table import read_table
from nasoa.errors import DataError, UnknownName
from nasoa.online.evaluation.task_table import task_table
from nasoa.records import HIDDEN_KEY

GOOD = "task,model,lr,flag,acc\nb,r18,0.1,True,0.5\nb,r50,,False,0.75\na,r18,0.01,,1\n"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_csv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    csv = read_table(write(tmp_path / "t.csv", GOOD))
    columns = {
        "task": ["b", "b", "a"],
        "model": ["r18", "r50", "r18"],
        "lr": [0.1, None, 0.01],
        "flag": [True, False, None],
        "acc": [0.5, 0.75, 1.0],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    parquet = read_table(str(tmp_path / "t.parquet"))
    assert csv.names == parquet.names
    assert csv.texts == parquet.texts == {"task": ["b", "b", "a"], "model": ["r18", "r50", "r18"]}
    for name in ("lr", "flag", "acc"):
        np.testing.assert_array_equal(csv.numbers[name], parquet.numbers[name])


def test_rows_and_groups(tmp_path: Path) -> None:
    table = task_table(read_table(write(tmp_path / "t.csv", GOOD)), "acc", "task")
    assert table.groups.tolist() == [0, 0, 1]
    assert table.layout.categories == (0, 1)
    assert table.layout.group == 0
    assert table.targets.tolist() == [0.5, 0.75, 1.0]
    np.testing.assert_array_equal(table.rows[:, 2], [0.1, np.nan, 0.01])


def test_a_number_can_tell_tasks_apart(tmp_path: Path) -> None:
    text = "fold,lr,acc\n7,1,0.5\n3,1,0.5\n7,2,0.5\n"
    table = task_table(read_table(write(tmp_path / "t.csv", text)), "acc", "fold")
    assert table.groups.tolist() == [0, 1, 0]


def test_numbered_rows_are_no_column(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", ",task,acc\n0,a,0.5\n1,b,0.5\n"))
    assert table.names == ("task", "acc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("task,model,acc\n", "only a header"),
        ("task,model,acc\na,m\n", "row 1 has 2"),
        ("task,task,acc\na,m,0.5\n", "more than once"),
        ("task,model,acc\na,m,0.5\nb,m,high\n", "row 2 has 'high'"),
        ("task,model,acc\na,m,0.5\nb,m,99.5\n", "row 2 has 99.5.*--percent divides it by 100"),
        ("task,model,acc\na,m,0.5\nb,m,-3\n", "row 2 has -3.*goes from -3 to 0.5; scale it"),
        ("task,model,acc\na,m,101\nb,m,0.5\n", "row 1 has 101.*; scale it"),
        ("task,model,acc\na,m,nan\nb,m,0.5\n", "row 1 has no number"),
        ("task,model,acc\na,m,inf\nb,m,0.5\n", "row 1 has inf"),
        ("task,lr,acc\na,1,0.5\nb,inf,0.5\n", "column 'lr'"),
        ("task,model,acc\na,m,0.5\n,m,0.5\n", "row 2 has none"),
        ("task,model,acc\na,m,0.5\na,n,0.6\n", "at least 2 groups"),
        ("task,acc\na,0.5\nb,0.5\n", "there are none"),
        ("task;model;acc\na;m;0.5\n", "has semicolons"),
        ("task\tmodel\tacc\na\tm\t0.5\n", "has tabs"),
        ("task,model,acc\na,m,50%\n", "row 1 has '50%'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        task_table(read_table(write(tmp_path / "t.csv", text)), "acc", "task")
    assert "\n" not in str(caught.value)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", GOOD))
    with pytest.raises(UnknownName, match="did you mean acc"):
        task_table(table, "ac", "task")
    with pytest.raises(UnknownName):
        task_table(table, "acc", "dataset")
    with pytest.raises(DataError, match="for both"):
        task_table(table, "acc", "acc")


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is none"):
        read_table(str(tmp_path / "missing.csv"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="Parquet"):
        read_table(str(tmp_path / "broken.parquet"))
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0 no text")
    with pytest.raises(DataError, match="CSV"):
        read_table(str(tmp_path / "image.csv"))


def test_percent_is_divided_where_that_is_asked_for(tmp_path: Path) -> None:
    percent = read_table(write(tmp_path / "t.csv", "task,lr,acc\na,1,50\nb,1,0.5\n"))
    assert task_table(percent, "acc", "task", in_percent=True).targets.tolist() == [0.5, 0.005]
    share = read_table(write(tmp_path / "s.csv", "task,lr,acc\na,1,1\nb,1,0.5\n"))
    with pytest.raises(DataError, match="leave out --percent"):
        task_table(share, "acc", "task", in_percent=True)
    points = read_table(write(tmp_path / "p.csv", "task,lr,acc\na,1,140\nb,1,0.5\n"))
    with pytest.raises(DataError, match=r"from 0\.5 to 140"):
        task_table(points, "acc", "task", in_percent=True)


def parquet(path: Path, columns: dict[str, list[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path.read_bytes()


def test_the_index_that_pandas_writes_is_no_column(tmp_path: Path) -> None:
    columns = {"task": ["a", "b"], "acc": [0.5, 0.6], "__index_level_0__": [7, 9]}
    parquet(tmp_path / "t.parquet", columns)
    assert read_table(str(tmp_path / "t.parquet")).names == ("task", "acc")


def test_damaged_parquet_is_read_or_refused_but_never_breaks(tmp_path: Path) -> None:
    columns = {"task": ["a", "b"] * 60, "lr": [0.1 * i for i in range(120)], "acc": [0.5] * 120}
    content = parquet(tmp_path / "t.parquet", columns)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(4, len(content), 12):
            damaged[place] = rng.integers(256)
        (tmp_path / "t.parquet").write_bytes(damaged)
        try:
            read_table(str(tmp_path / "t.parquet"))
        except DataError as error:
            refused += "Parquet" in str(error)
    assert refused > 30
    (tmp_path / "t.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_table(str(tmp_path / "t.parquet"))


def test_parquet_that_unpacks_to_very_many_cells_is_refused_unread(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    equal = pyarrow.repeat(0.5, 3_000_000)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"acc": equal, "lr": equal}), path)
    assert path.stat().st_size < 40_000
    with pytest.raises(DataError, match="3000000 rows of 2 columns"):
        read_table(str(path))


@pytest.mark.parametrize("hidden", [b"5", b"[[]]", b"[" * 5000, b"["])
def test_parquet_whose_metadata_name_no_hidden_columns(tmp_path: Path, hidden: bytes) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"acc": [0.5]}).replace_schema_metadata({HIDDEN_KEY: hidden})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="truncated or damaged"):
        read_table(str(tmp_path / "t.parquet"))


def test_columns_of_parquet_that_are_there_twice_or_empty(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    twice = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    pyarrow.parquet.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="'a' occurs more than once"):
        read_table(str(tmp_path / "t.parquet"))
    parquet(tmp_path / "e.parquet", {"task": [], "acc": []})
    with pytest.raises(DataError, match="only a header"):
        read_table(str(tmp_path / "e.parquet"))


def test_rows_that_come_twice_are_counted(tmp_path: Path) -> None:
    text = "task,lr,acc\na,,0.5\na,,0.5\nb,1,0.5\nb,1,0.6\n"
    table = task_table(read_table(write(tmp_path / "t.csv", text)), "acc", "task")
    assert table.num_duplicates == 1
    assert len(table.rows) == 4
