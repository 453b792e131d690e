"""Folders with pipes, links, and names that are not UTF-8."""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from nasoa.data import fingerprint, load_dataset
from nasoa.data.folder import files_below
from nasoa.errors import DataError

from .conftest import MakeFolder


def sizes(data: object) -> list[int]:
    return [len(getattr(data, split)) for split in ("train", "val", "test")]


def test_what_is_no_file_is_left_out(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "dog" / "lost.png").symlink_to(root / "nowhere.png")
    (root / "dog" / "null.png").symlink_to("/dev/null")
    (root / "itself").symlink_to("itself")
    data = load_dataset(str(root), seed=0)
    assert (sum(sizes(data)), data.num_skipped) == (8, 0)
    assert "4 pipes, devices or broken links left out" in caplog.text
    assert caplog.text.count("left out") == 1
    assert len(fingerprint(str(root))) == 16


def test_a_link_between_splits_loses_neither_side(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"train/cat": 6, "train/dog": 6, "val/cat": 2, "val/dog": 2})
    (root / "test").symlink_to(root / "val")
    data = load_dataset(str(root), seed=0)
    assert sizes(data) == [12, 4, 4]
    assert "are the same folder because of a link" in caplog.text


def test_a_link_between_classes_loses_neither_side(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    (root / "tiger").symlink_to("cat")
    assert load_dataset(str(root), seed=0).class_names == ("cat", "dog", "tiger")


def test_links_in_circles_end(make_folder: MakeFolder) -> None:
    names = [f"c{number}" for number in range(6)]
    root = make_folder(dict.fromkeys(names, 1))
    for name in names:
        for other in names:
            (root / name / f"to-{other}").symlink_to(root / other)
    found = files_below(root)
    assert {path for path in found if path.count("/") == 1} == {f"{name}/0.png" for name in names}
    assert len(found) < 100


def test_a_link_within_a_link_is_followed_to_what_is_new(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    root = make_folder({"cat": 2})
    elsewhere = make_folder({"birds": 2}, "elsewhere")
    other = make_folder({"more": 2}, "other")
    (elsewhere / "birds" / "more").symlink_to(other / "more")
    (root / "bird").symlink_to(elsewhere / "birds")
    assert len(files_below(root)) == 6


def test_names_that_are_not_utf8(make_folder: MakeFolder) -> None:
    root = make_folder({"dog": 6, "cat": 6})
    os.rename(os.fsencode(root / "cat"), os.fsencode(root) + b"/chat-\xe9t\xe9")
    os.rename(root / "dog" / "1.png", os.fsencode(root) + b"/dog/\xff.png")
    for path in (str(root), shutil.make_archive(str(root), "tar", root)):
        data = load_dataset(path, seed=0)
        assert data.class_names == ("chat-été", "dog")
        assert (sum(sizes(data)), data.num_skipped) == (12, 0)
    assert len(fingerprint(str(root))) == 16


def test_a_path_that_is_not_utf8_is_refused(make_folder: MakeFolder) -> None:
    root = os.fsencode(make_folder({"dog": 6, "cat": 6}))
    os.rename(root, root + b"\xe9")
    with pytest.raises(DataError, match="expected DATA to be a path in UTF-8, got"):
        load_dataset(os.fsdecode(root + b"\xe9"), seed=0)


def test_a_zip_with_utf8_names_that_are_not_marked(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"größe": 4, "猫": 4})
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, str(file.relative_to(root)))
    raw = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = raw.find(magic)
        while place >= 0:
            raw[place + offset + 1] &= ~0x08
            place = raw.find(magic, place + 1)
    path.write_bytes(raw)
    with zipfile.ZipFile(path) as archive:
        assert all(info.flag_bits & 0x800 == 0 for info in archive.infolist())
    assert load_dataset(str(path), seed=0).class_names == ("größe", "猫")


def test_folders_that_are_not_alike_are_not_warned_of(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat/1": 3, "cat/2": 3, "dog": 6})
    with caplog.at_level(logging.WARNING):
        load_dataset(str(root), seed=0)
    assert not caplog.records
