"""Tables of paths and labels beside images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasoa.config import DataConfig
from nasoa.data import fingerprint, load_dataset
from nasoa.data.label_columns import label_rows
from nasoa.data.open_data import open_source
from nasoa.errors import DataError

from .conftest import MakeFolder

NAMES = ("cat", "dog", "cat", "dog", "cat", "dog")


def found(data: str | Path) -> dict[str, tuple[str, str]]:
    """Return the class and split of each path."""
    records = open_source(str(data), DataConfig(), None).records
    return {record.path: (record.class_name, record.split) for record in records}


def write(path: Path, *rows: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding=encoding)


@pytest.fixture
def flat(make_folder: MakeFolder) -> Path:
    """Six images in `images/`."""
    return make_folder({"images": 6})


@pytest.mark.parametrize(
    "rows",
    [
        ["path,label", *(f"images/{n}.png,{name}" for n, name in enumerate(NAMES))],
        ["filename;class", *(f"{n}.png;{name}" for n, name in enumerate(NAMES))],
        ["image_id\tspecies", *(f"{n}\t{name}" for n, name in enumerate(NAMES))],
        [f"{n}.png,{name}" for n, name in enumerate(NAMES)],
        ["label,file", *(f"{name},images\\{n}.png" for n, name in enumerate(NAMES))],
        [",id,tag", *(f"{n},{n}.png,{name}" for n, name in enumerate(NAMES))],
        [
            "img,width,height,animal",
            *(f'"/data/x/images/{n}.png",{n + 40},30,{name}' for n, name in enumerate(NAMES)),
        ],
        [
            "fn,label_id,label_name,author",
            *(f"{n}.png,{n % 2},{name},someone {n % 3}" for n, name in enumerate(NAMES)),
        ],
        [
            "filename,cat,dog",
            *(f"{n}.png,{int(name == 'cat')},{int(name == 'dog')}" for n, name in enumerate(NAMES)),
        ],
    ],
    ids=range(9),
)
@pytest.mark.parametrize("form", ["labels.csv", "outside", "zip", "other name"])
def test_columns_are_found_by_what_is_in_them(flat: Path, rows: list[str], form: str) -> None:
    data = flat
    if form == "outside":
        data = flat / "my table.csv"
        write(data, *rows)
    else:
        write(flat / ("train.csv" if form == "other name" else "labels.csv"), *rows)
    if form == "zip":
        data = Path(shutil.make_archive(str(flat), "zip", flat.parent, flat.name))
    records = found(data)
    assert [name for name, _split in records.values()] == list(NAMES)
    assert [os.path.basename(path) for path in records] == [f"{n}.png" for n in range(6)]


def test_splits_of_folders_that_a_table_labels(make_folder: MakeFolder) -> None:
    root = make_folder({"train": 6, "test": 4})
    write(
        root / "labels.csv",
        "path,label",
        *(f"train/{n}.png,{NAMES[n]}" for n in range(6)),
        *(f"test/{n}.png,{NAMES[n]}" for n in range(4)),
    )
    data = load_dataset(str(root), seed=0)
    assert data.class_names == ("cat", "dog")
    assert (len(data.test), len(data.train) + len(data.val)) == (4, 6)


def test_a_column_of_splits(flat: Path) -> None:
    rows = [f"{n}.png,{'Testing' if n > 3 else 'Training'},{NAMES[n]}" for n in range(6)]
    write(flat / "labels.csv", "file,partition,what", *rows)
    assert [split for _name, split in found(flat).values()] == ["train"] * 4 + ["test"] * 2


def test_a_table_for_each_split_and_one_without_labels(make_folder: MakeFolder) -> None:
    root = make_folder({"train": 4, "valid": 2, "test": 2})
    write(root / "train.csv", "id,breed", *(f"{n},{NAMES[n]}" for n in range(4)))
    for split in ("train", "valid", "test"):
        for file in (root / split).iterdir():
            file.rename(root / split / f"{split}_{file.name}")
    write(root / "train.csv", "id,breed", *(f"train_{n},{NAMES[n]}" for n in range(4)))
    write(root / "valid.csv", "id,breed", *(f"valid_{n},{NAMES[n]}" for n in range(2)))
    write(root / "test.csv", "id", *(f"test_{n}" for n in range(2)))
    write(root / "sample_submission.csv", "id,breed", *(f"test_{n},cat" for n in range(2)))
    records = found(root)
    assert [split for _name, split in records.values()] == ["train"] * 4 + ["val"] * 2


def test_a_table_in_each_folder(make_folder: MakeFolder) -> None:
    root = make_folder({"train": 4, "test": 2})
    for split, count in (("train", 4), ("test", 2)):
        write(root / split / "labels.csv", "f,l", *(f"{n}.png,{NAMES[n]}" for n in range(count)))
    assert sorted(found(root).values())[:2] == [("cat", "test"), ("cat", "train")]


def test_folders_are_classes_unless_a_table_of_labels_says_other(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    before = found(root)
    write(root / "meta.csv", "file,label", *(f"cat/{n}.png,x{n % 2}" for n in range(3)))
    assert found(root) == before
    write(root / "labels.csv", "number,name", "0,cat", "1,dog")
    assert found(root) == before
    write(
        root / "labels.csv", "f,label", *(f"{c}/{n}.png,{n}" for c in ("cat", "dog") for n in "012")
    )
    assert {name for name, _split in found(root).values()} == {"0", "1", "2"}


def test_a_table_far_from_its_images(flat: Path, tmp_path: Path) -> None:
    for number, where in enumerate(("../pets/images", str(flat / "images"))):
        table = tmp_path / f"tables{number}" / "birds.csv"
        write(table, "p,l", *(f"{where}/{n}.png,{name}" for n, name in enumerate(NAMES)))
        data = load_dataset(str(table), seed=0)
        assert (data.name, data.class_names) == ("birds", ("cat", "dog"))


def test_the_fingerprint_of_a_table_is_that_of_its_images_too(flat: Path) -> None:
    table = flat / "x.csv"
    for column in ("images/{}.png", "{}"):
        write(table, "p,l", *(f"{column.format(n)},{name}" for n, name in enumerate(NAMES)))
        before = fingerprint(str(table))
        assert before == fingerprint(str(table))
        with (flat / "images" / "3.png").open("ab") as file:
            file.write(b"more")
        assert fingerprint(str(table)) != before


@pytest.mark.parametrize(
    "rows",
    [
        ["sep=;", "file;what", *(f"images/{n}.png;{name}" for n, name in enumerate(NAMES))],
        ["# made on 1 May", "", "f,l", *(f"{n}.png,{name}" for n, name in enumerate(NAMES))],
        [f"images/{n}.png  {name}" for n, name in enumerate(NAMES)],
        ["path, label", *(f'"images/{n}.png", "{name}"' for n, name in enumerate(NAMES))],
        ["path,label", *(f"'images/{n}.png','{name}'" for n, name in enumerate(NAMES))],
        ["path,label", *(f"Images/{n}.PNG,{name}" for n, name in enumerate(NAMES))],
        ["path,label", *(f"images/{n}.jpg,{name}" for n, name in enumerate(NAMES))],
        ["id,label", *(f"{n:05},{name}" for n, name in enumerate(NAMES))],
        ["u,label", *(f"https://x.org/a%20b/{n}.png?v=1,{name}" for n, name in enumerate(NAMES))],
        [
            "f,cat,dog",
            *(f"{n}.png,{float(name == 'cat')},{name == 'dog'}" for n, name in enumerate(NAMES)),
        ],
        [
            "f,width,animal",
            *(f"{n}.png,{30 + n % 3},{name}" for n, name in enumerate(NAMES)),
        ],
        ["f,cls,by", *(f"{n}.png,{name},{'ab'[n > 2]}" for n, name in enumerate(NAMES))],
        ["f,l", *(f"{n}.png,{name}" for n, name in enumerate(NAMES)), "f,l", "0.png,cat"],
    ],
    ids=range(13),
)
def test_tables_as_other_programs_write_them(flat: Path, rows: list[str]) -> None:
    write(flat / "labels.csv", *rows)
    for data in (flat, flat / "labels.csv"):
        assert [name for name, _split in found(data).values()] == list(NAMES)


def test_what_is_alike_only_loosely_must_be_the_only_one(make_folder: MakeFolder) -> None:
    root = make_folder({"images": 4, "IMAGES": 4})
    write(root / "labels.csv", "path,label", *(f"Images/{n}.png,{n % 2}" for n in range(4)))
    with pytest.raises(DataError, match="no column of labels"):
        found(root)
    write(root / "labels.csv", "path,label", *(f"IMAGES/{n}.png,{n % 2}" for n in range(4)))
    assert {path.split("/")[0] for path in found(root)} == {"IMAGES"}


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [("is_valid", "val", "train"), ("Is Test", "test", "train"), ("is_train", "train", "test")],
)
def test_a_column_of_yes_and_no_for_a_split(flat: Path, column: str, yes: str, no: str) -> None:
    rows = [f"{n}.png,{name},{n < 2}" for n, name in enumerate(NAMES)]
    write(flat / "labels.csv", f"file,label,{column}", *rows)
    assert [split for _name, split in found(flat).values()] == [yes] * 2 + [no] * 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(flat: Path, encoding: str) -> None:
    rows = (f"{n}.png,{'müll' if n % 2 else 'café'}" for n in range(6))
    write(flat / "labels.csv", "bild,klasse", *rows, encoding=encoding)
    assert {name for name, _split in found(flat).values()} == {"müll", "café"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["file,a,b", *(f"{n}.png,{n},{n + 7}" for n in range(6))], "got a, b; name the column"),
        (["file", *(f"{n}.png" for n in range(6))], "besides the column of paths, got none"),
        (["file,label", *(f"x{n}.png,cat" for n in range(6))], "no column of labels.csv names"),
        (
            ["f,l", *(f"{n}.png,{n % 2}" for n in range(6)), "0.png,9"],
            "two labels for images/0.png",
        ),
        (["f,l", *(f"{n}.png,{n % 2}" for n in range(6)), "9.png,1"], "1 of the 7 images"),
        (["f,l", "a,b,c,d,e", '"open'], "cannot be read as a table"),
        ([], "cannot be read as a table"),
    ],
)
def test_tables_that_tell_no_labels(flat: Path, rows: list[str], message: str) -> None:
    write(flat / "labels.csv", *rows)
    with pytest.raises(DataError, match=message) as caught:
        found(flat)
    assert "\n" not in str(caught.value)


def test_rows_without_labels_and_images_without_rows_are_told(
    flat: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(flat / "labels.csv", "f,l", *(f"{n}.png,{NAMES[n]}" for n in range(4)), "4.png,")
    assert len(found(flat)) == 4
    assert "2 images have no label" in caplog.text


@pytest.mark.slow
def test_pandas_is_imported_for_a_table_alone(flat: Path) -> None:
    code = (
        "import sys, nasoa, nasoa.cli\n"
        "from nasoa.data import load_dataset\n"
        "load_dataset(sys.argv[1], seed=0)\n"
        "assert ('pandas' in sys.modules) == bool(sys.argv[2:])"
    )
    write(flat / "labels.csv", "f,l", *(f"{n}.png,{name}" for n, name in enumerate(NAMES)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for arguments in (["sklearn:digits"], [str(flat), "table"]):
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment)


def test_few_rows_of_a_wide_table_are_searched_for_paths() -> None:
    rows = [["file", "label", *[""] * 998]]
    rows += [[f"{n}.png", "cat", *[""] * 998] for n in range(1000)]
    asked = 0

    def is_file(cell: str) -> bool:
        nonlocal asked
        asked += 1
        return cell.endswith(".png")

    found = label_rows(rows, is_file, "labels.csv")
    assert len(found) == 1000
    assert found[-1].path == "999.png"
    assert asked < 30_000


def test_a_table_with_too_many_columns(flat: Path) -> None:
    write(flat / "labels.csv", "," * 10_000, *(f"images/{n}.png,a" for n in range(6)))
    with pytest.raises(DataError, match="10001 columns: expected at most 10000"):
        found(flat / "labels.csv")
