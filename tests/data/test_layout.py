"""From paths to classes, splits and groups."""

from __future__ import annotations

import pytest

from nasoa.data.layout import is_junk, read_layout
from nasoa.errors import DataError


def classes_and_splits(paths: list[str]) -> list[tuple[str, str]]:
    return [(r.class_name, r.split) for r in read_layout(paths, "DATA").values()]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["cat/1.jpg", "dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["pets/cat/1.jpg", "pets/dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["./cat/1.jpg", "./dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["cat/a/1.jpg", "dog/b/1.jpg"], [("cat", ""), ("dog", "")]),
        (["test/cat/1.jpg", "train/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (["x/Train/cat/1.jpg", "x/valid/cat/1.jpg"], [("cat", "train"), ("cat", "val")]),
        (["train/cat/1.jpg", "validation/cat/1.jpg"], [("cat", "train"), ("cat", "val")]),
        (["train/cat/1.jpg", "unlabelled/x/1.jpg"], [("cat", "train")]),
        (["train/cat/a/1.jpg", "train/dog/1.jpg"], [("cat", "train"), ("dog", "train")]),
        # Means of transport, not splits.
        (["bus/1.jpg", "train/1.jpg"], [("bus", ""), ("train", "")]),
        (["test/1.jpg", "train/1.jpg"], [("test", ""), ("train", "")]),
        # Files that belong to no class.
        (["README.md", "cat/1.jpg", "dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["pets/README.md", "pets/cat/1.jpg", "pets/dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["train/cat/1.jpg", "train/labels.csv"], [("cat", "train")]),
        # What operating systems leave behind.
        (["__MACOSX/cat/._1.jpg", "cat/.DS_Store", "cat/Thumbs.db", "cat/1.jpg"], [("cat", "")]),
    ],
)
def test_layouts(paths: list[str], expected: list[tuple[str, str]]) -> None:
    assert classes_and_splits(paths) == expected


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("gc00038_t00042_2.jpg", "c00038_t00042"),
        ("gTRAIN_EOSINOPHIL_41_1655.jpg", "TRAIN_EOSINOPHIL_41"),
        ("g8_2.jpg", "8"),
        ("gx_2149.jpg", "x"),
        ("g_2.jpg", None),
        ("17.jpg", None),
        ("goat.jpg", None),
        ("dog_2.jpg", None),
    ],
)
def test_group_is_all_up_to_the_last_underscore(name: str, group: str | None) -> None:
    (record,) = read_layout([f"cat/{name}"], "DATA").values()
    assert record.group == group


@pytest.mark.parametrize("paths", [[], ["1.jpg", "2.jpg"], ["__MACOSX/cat/1.jpg"]])
def test_nothing_in_class_folders(paths: list[str]) -> None:
    with pytest.raises(DataError, match="no images in DATA: expected class folders"):
        read_layout(paths, "DATA")


def test_a_test_folder_alone_cannot_be_trained_on() -> None:
    with pytest.raises(DataError, match="no training images in DATA: it has test and val folders"):
        read_layout(["test/cat/1.jpg", "val/cat/1.jpg"], "DATA")


def test_junk() -> None:
    assert is_junk("cat/.hidden/1.jpg")
    assert not is_junk("cat/1.2.jpg")
