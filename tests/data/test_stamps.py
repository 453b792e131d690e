"""Stamps of files and arrays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from nasoa.data.stamps import OpenedFiles, stamp_array, stamp_files


def test_a_rewritten_file_of_equal_size_and_time_of_modification_has_another_stamp(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    times = path.stat()
    before = stamp_files(tmp_path, ["a"])
    assert before is not None
    assert before == stamp_files(tmp_path, ["a"])
    path.write_bytes(b"new")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert stamp_files(tmp_path, ["a"]) != before


def test_changes_at_once_after_a_stamp_show(tmp_path: Path) -> None:
    path = tmp_path / "a"
    stamps = []
    for content in range(20):
        path.write_bytes(bytes([content]))
        stamps.append(stamp_files(tmp_path, ["a"]))
    assert None not in stamps
    assert len(set(stamps)) == len(stamps)


def test_a_missing_file_has_none(tmp_path: Path) -> None:
    assert stamp_files(tmp_path, ["absent"]) is None


def test_folders_with_equal_files_differ(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x")
    os.link(tmp_path / "a" / "x", tmp_path / "b" / "x")
    assert stamp_files(tmp_path / "a", ["x"]) != stamp_files(tmp_path / "b", ["x"])


def test_files_that_changed_since_they_were_opened_have_no_stamp(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"old")
    opened = OpenedFiles(paths)
    assert opened.stamp() is not None
    assert opened.stamp() == OpenedFiles(paths).stamp()
    assert opened.stamp() != OpenedFiles(paths[:1]).stamp()
    paths[1].write_bytes(b"new")
    assert opened.stamp() is None


def test_stamping_settled_files_is_quick(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(1000)]
    for name in names:
        (tmp_path / name).touch()
    stamp_files(tmp_path, names)
    began = time.process_time()
    stamp_files(tmp_path, names)
    assert time.process_time() - began < 0.2


def test_arrays_of_other_content_or_shape_differ() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert stamp_array(array) == stamp_array(array.copy(order="F"))
    assert stamp_array(array) != stamp_array(array.reshape(2, 4, 3))
    assert stamp_array(array) != stamp_array(array + 1)
