"""Files are written atomically."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nasoa.partial_file import PREFIX, PRIVATE, partial_file, whole_file


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("before")
    with whole_file(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
        assert partial.parent == tmp_path
        assert partial.name.startswith(PREFIX)
    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["answers.csv"]


def test_an_earlier_file_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("before")

    def fail() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["answers.csv"]


def test_a_partial_file_that_is_not_renamed_is_removed(tmp_path: Path) -> None:
    with partial_file(tmp_path) as file:
        file.write(b"half")
        assert len(os.listdir(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", [0o666, PRIVATE])
def test_permissions_are_those_asked_for_less_what_is_masked(tmp_path: Path, mode: int) -> None:
    masked = os.umask(0o022)
    try:
        with partial_file(tmp_path, mode) as file:
            found = stat.S_IMODE(os.stat(file.name).st_mode)
    finally:
        os.umask(masked)
    assert found == mode & ~0o022


def test_of_many_writers_one_whole_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "one"

    def write(number: int) -> None:
        with whole_file(path) as partial:
            partial.write_text(str(number) * 10_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    text = path.read_text()
    assert len(text) == 10_000
    assert len(set(text)) == 1
    assert os.listdir(tmp_path) == ["one"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none" / "file"):
        pass
