"""Existing paths that are suggested for missing ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa.near_paths import MOST_SIBLINGS, did_you_mean, near_paths


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/train/cat", "photo-copy", "Birds"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("missing", "near"),
    [
        ("photo", ["photos"]),
        ("photo/train", ["photos/train"]),
        ("photos/trian/cat", ["photos/train/cat"]),
        ("photos/trian/dog", ["photos/train"]),
        ("birds", ["Birds"]),
        ("else/where", []),
        ("x", []),
        ("/no-such-root-folder/x", []),
    ],
)
def test_the_first_missing_part_is_replaced(missing: str, near: list[str]) -> None:
    assert near_paths(Path(missing))[:1] == near


def test_the_best_comes_first_in_the_question() -> None:
    assert did_you_mean(Path("photos-copy")) == "did you mean photo-copy or photos? "
    assert did_you_mean(Path("unlike")) == ""


def test_a_folder_of_very_many_files_is_not_compared_whole(here: Path) -> None:
    folder = here / "many"
    folder.mkdir()
    for number in range(MOST_SIBLINGS + 10):
        (folder / f"{number:05d}").touch()
    assert len(near_paths(folder / "000001")) == 3


def test_a_folder_that_cannot_be_read_gives_no_suggestion(here: Path) -> None:
    (here / "file").touch()
    assert near_paths(here / "file" / "x") == []
