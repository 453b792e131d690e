"""Arguments that name images: files, folders, patterns, and paths on standard input."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nasoa.data import find_images
from nasoa.errors import DataError


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images and other files, as the working directory."""
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "trip/c.jpeg", "trip/[1].jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def found(*arguments: str, lines: tuple[bytes, ...] = ()) -> list[str]:
    return list(find_images(arguments, lines).paths)


def test_a_folder_is_its_images_sorted() -> None:
    inside = ["photos/a.PNG", "photos/b.jpg", "photos/trip/[1].jpg", "photos/trip/c.jpeg"]
    assert found("photos") == inside
    assert found("photos/") == inside
    assert found("photos/trip", "photos/b.jpg") == [*inside[2:], "photos/b.jpg"]


def test_a_file_is_taken_whatever_its_name() -> None:
    assert found("photos/notes.txt", "absent.jpg") == ["photos/notes.txt", "absent.jpg"]
    assert found("photos/trip/[1].jpg") == ["photos/trip/[1].jpg"]


def test_a_pattern_is_the_files_that_match_each_once() -> None:
    assert found("photos/*.jpg") == ["photos/b.jpg"]
    assert found("**/*.jp*g") == ["photos/b.jpg", "photos/trip/[1].jpg", "photos/trip/c.jpeg"]
    everything = found("photos/**")
    assert len(everything) == len(set(everything)) == 5
    assert found("photos/tri?") == ["photos/trip/[1].jpg", "photos/trip/c.jpeg"]


def test_a_path_or_pattern_may_begin_at_home(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos))
    trip = [f"{photos}/trip/[1].jpg", f"{photos}/trip/c.jpeg"]
    assert found("~/*/*.jp*g") == found("~/trip") == trip
    assert found("~/b.jpg", "~/absent.jpg") == [f"{photos}/b.jpg", f"{photos}/absent.jpg"]
    assert found("~nobody-of-this-name/a.jpg") == ["~nobody-of-this-name/a.jpg"]


def test_standard_input_is_read_as_it_is_needed() -> None:
    def lines() -> list[bytes]:
        raise AssertionError("too much was read")

    def endless():  # type: ignore[no-untyped-def]
        yield b"one.jpg\n"
        yield b"\n"
        yield b"with space.jpg\r\n"
        yield b"\xff.jpg"
        lines()

    images = find_images(["first.jpg", "-"], endless())
    assert images.count is None
    read = [next(images.paths) for _ in range(4)]
    assert read == ["first.jpg", "one.jpg", "with space.jpg", "\udcff.jpg"]


def test_paths_are_counted() -> None:
    assert find_images(["photos", "photos/b.jpg"], ()).count == 5


def test_nothing_at_all_is_refused() -> None:
    for arguments in (["empty"], ["nothing*.jpg", "empty"], ["-"]):
        with pytest.raises(DataError, match=f"no images in {arguments[0][:4]}.*expected image"):
            find_images(arguments, ())


def test_an_argument_without_images_beside_others_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert found("empty", "photos/b.jpg") == ["photos/b.jpg"]
    assert [record.getMessage() for record in caplog.records] == ["no images in empty"]
