"""Classes, splits and groups are determined from paths."""

from __future__ import annotations

import pytest

from nasoa.data.file_kinds import is_junk
from nasoa.data.layout import read_layout
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
        # Other names of splits, and extra folders.
        (["Testing/cat/1.jpg", "Training/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (["test_set/cat/1.jpg", "training_set/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (["TrainImages/cat/1.jpg", "ValImages/cat/1.jpg"], [("cat", "train"), ("cat", "val")]),
        (["Test_images/a/1.jpg", "Train_images/a/1.jpg"], [("a", "test"), ("a", "train")]),
        (["test2017/cat/1.jpg", "train2017/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (["hold-out/cat/1.jpg", "train/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (["dev/cat/1.jpg", "train/cat/1.jpg"], [("cat", "val"), ("cat", "train")]),
        (["eval/cat/1.jpg", "train/cat/1.jpg"], [("cat", "test"), ("cat", "train")]),
        (
            ["eval/cat/1.jpg", "test/cat/1.jpg", "train/cat/1.jpg"],
            [("cat", "val"), ("cat", "test"), ("cat", "train")],
        ),
        (
            ["evaluation/a/1.jpg", "training/a/1.jpg", "validation/a/1.jpg"],
            [("a", "test"), ("a", "train"), ("a", "val")],
        ),
        (["birdtest/a/1.jpg", "birdtrain/a/1.jpg"], [("a", "test"), ("a", "train")]),
        (["trainval/a/1.jpg", "x_test_y/a/1.jpg"], [("a", "train"), ("a", "test")]),
        (
            ["seg_pred/seg_pred/1.jpg", "seg_test/seg_test/a/1.jpg", "seg_train/seg_train/a/1.jpg"],
            [("a", "test"), ("a", "train")],
        ),
        (
            ["pred/1.jpg", "seg_train/a/1.jpg", "seg_train/b/1.jpg"],
            [("a", "train"), ("b", "train")],
        ),
        (["test/images/a/1.jpg", "train/images/a/1.jpg"], [("a", "test"), ("a", "train")]),
        (["train/train/a/1.jpg", "train/train/b/1.jpg"], [("a", "train"), ("b", "train")]),
        (
            ["x/cat/test/1.jpg", "x/cat/train/1.jpg", "x/dog/train/1.jpg"],
            [("cat", "test"), ("cat", "train"), ("dog", "train")],
        ),
        (["HoldOut/a/1.jpg", "train/a/1.jpg"], [("a", "test"), ("a", "train")]),
        (["minival/a/1.jpg", "train/a/1.jpg"], [("a", "val"), ("a", "train")]),
        (["test/test/1.jpg", "train/train/a/1.jpg"], [("a", "train")]),
        (
            ["xtest/cafe\u0301/1.jpg", "xtrain/caf\u00e9/1.jpg"],
            [("café", "test"), ("café", "train")],
        ),
        (["xtest/Dog/1.jpg", "xtrain/dog/1.jpg"], [("Dog", "test"), ("Dog", "train")]),
        (["test\\a\\1.jpg", "train\\a\\1.jpg"], [("a", "test"), ("a", "train")]),
        # Splits inside the classes.
        (
            ["a/my_test/1.jpg", "a/my_train_x/1.jpg", "b/my_train_x/1.jpg"],
            [("a", "test"), ("a", "train"), ("b", "train")],
        ),
        (
            ["a/1.jpg", "a/test/1.jpg", "a/train/1.jpg", "b/train/1.jpg"],
            [("a", "test"), ("a", "train"), ("b", "train")],
        ),
        (
            ["a/train/1.jpg", "a/val/1.jpg", "b/more/1.jpg", "b/train/1.jpg"],
            [("a", "train"), ("a", "val"), ("b", "train")],
        ),
        # Classes beside the splits.
        (["a/1.jpg", "b/1.jpg", "test/a/1.jpg"], [("a", "train"), ("b", "train"), ("a", "test")]),
        # Wrapping folders.
        (["ds/ds/a/1.jpg", "ds/ds/b/1.jpg"], [("a", ""), ("b", "")]),
        (["a/b/c/x/1.jpg", "a/b/c/y/1.jpg", "a/LICENSE.md"], [("x", ""), ("y", "")]),
        (["README.md", "ds/a/1.jpg", "ds/b/1.jpg"], [("a", ""), ("b", "")]),
        (["ds/a/1.jpg", "ds/b/1.jpg", "sample.jpg"], [("a", ""), ("b", "")]),
        (["docs/info.pdf", "ds/a/1.jpg", "ds/b/1.jpg"], [("a", ""), ("b", "")]),
        (["x/ds/train/a/1.jpg", "x/ds/test/a/1.jpg"], [("a", "test"), ("a", "train")]),
        # Words that contain the name of a split by coincidence.
        (["carnival/1.jpg", "contest/1.jpg"], [("carnival", ""), ("contest", "")]),
        (["carnival/day/1.jpg", "valley/day/1.jpg"], [("carnival", ""), ("valley", "")]),
        (["bus/red/1.jpg", "test_tube/glass/1.jpg"], [("bus", ""), ("test_tube", "")]),
        # Vehicles, not splits.
        (["bus/1.jpg", "train/1.jpg"], [("bus", ""), ("train", "")]),
        (["invalid/1.jpg", "valid/1.jpg"], [("invalid", ""), ("valid", "")]),
        # Files outside class folders.
        (["README.md", "cat/1.jpg", "dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["pets/README.md", "pets/cat/1.jpg", "pets/dog/1.jpg"], [("cat", ""), ("dog", "")]),
        (["train/cat/1.jpg", "train/labels.csv"], [("cat", "train")]),
        # Companion files of images, with any suffix.
        (["cat/1.jpg", "cat/1.xml", "cat/1.jpg.cat", "cat/1.pts", "cat/1.odd"], [("cat", "")]),
        (["cat/1.1", "cat/1.jpg", "cat/2", "cat/3.unknown"], [("cat", "")] * 4),
        (["cat/1.jpg", "cat/_annotations.coco.json", "x/labels/1.txt"], [("cat", "")]),
        # Masks of images.
        (["cat/a (1).jpg", "cat/a (1)_mask.png", "cat/a (1)_mask_1.png"], [("cat", "")]),
        (["cat/b_gt.png", "dog/mask.png"], [("cat", ""), ("dog", "")]),
        (["images/a/1.jpg", "images/b/1.jpg", "masks/a/1.jpg"], [("a", ""), ("b", "")]),
        (
            ["x/test/Images/a/1.jpg", "x/train/Annotation/a/1", "x/train/Images/a/1.jpg"],
            [("a", "test"), ("a", "train")],
        ),
        (["labels/1.jpg", "stamps/1.jpg"], [("labels", ""), ("stamps", "")]),
        # Files of operating systems.
        (
            ["cat/@eaDir/1.jpg/T.jpg", "cat/Desktop.ini", "cat/thumbs.db", "cat/1.jpg"],
            [("cat", "")],
        ),
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


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["test/1.jpg", "train/1.jpg"], "test/, train/"),
        (["bus/1.jpg", "test/1.jpg", "train/1.jpg"], "bus/, test/, train/"),
        (["cats_test/1.jpg", "cats_train/1.jpg"], "cats_test/, cats_train/"),
        (["seg_train/a/1.jpg", "seg_train/b/1.jpg", "x/a/1.jpg", "x/b/1.jpg"], "seg_train/a/, "),
        (["mytrain/a/1.jpg", "xtest/b/1.jpg"], "mytrain/a/, xtest/b/"),
        (["cat/1.jpg", "dog/1.jpg", "test/1.jpg"], "cat/, dog/, test/"),
        (["cat/1.jpg", "train_images/1.jpg"], "cat/, train_images/"),
        (["train/1.jpg", "unseen/1.jpg"], "train/, unseen/"),
    ],
)
def test_what_seems_to_be_splits_is_refused_with_what_was_found(
    paths: list[str], found: str
) -> None:
    with pytest.raises(DataError, match=f"look like splits.*expected train/.*; found .*{found}"):
        read_layout(paths, "DATA")


def test_the_same_folders_in_all_classes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    paths = [f"{top}/{name}/1.jpg" for top in ("photo", "sketch") for name in ("cat", "dog")]
    assert classes_and_splits(paths)[0] == ("photo", "")
    assert "photo, sketch are used as the classes" in caplog.text


def test_the_same_folders_in_the_splits_of_all_classes_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    paths = [
        f"fold{n}/{split}/{name}/1.jpg"
        for n in "12"
        for split in ("train", "test")
        for name in ("cat", "dog")
    ]
    found = {(name, split) for name in ("fold1", "fold2") for split in ("test", "train")}
    assert set(classes_and_splits(paths)) == found
    assert "fold1, fold2 are used as the classes" in caplog.text


def test_names_are_one_however_they_are_spelt(caplog: pytest.LogCaptureFixture) -> None:
    paths = ["train/cafe\u0301/1.jpg", "test/caf\u00e9/1.jpg", "train/Dog/1.jpg", "train/Dog/2.jpg"]
    paths += ["test/dog/1.jpg", "train/a/1.jpg", "train/A/1.jpg", "train/\udce9t\udce9/1.jpg"]
    names = {record.class_name for record in read_layout(paths, "DATA").values()}
    assert names == {"caf\u00e9", "Dog", "a", "A", "\u00e9t\u00e9"}
    assert "Dog and dog are read as one class, Dog" in caplog.text


def test_only_the_documented_names_are_groups(caplog: pytest.LogCaptureFixture) -> None:
    read_layout([f"{name}/{name}_{n}.jpg" for name in ("goat", "giraffe") for n in "12"], "DATA")
    assert not caplog.text
    read_layout(["kitchen/g142_3.jpg", "bath/g142_4.jpg", "bath/g9_4.jpg"], "DATA")
    assert "2 groups" in caplog.text


def test_junk() -> None:
    assert is_junk("cat/.hidden/1.jpg")
    assert not is_junk("cat/1.2.jpg")
