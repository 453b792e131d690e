"""Copies of data in a bucket that several machines share."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset, local_copy, open_data_cache
from nasoa.data.data_cache import VARIABLE, DataCache
from nasoa.errors import DataError
from nasoa.scratch import ScratchFolder

from .conftest import MakeFolder

DATA = "s3://bucket/pets"


class Objects:
    """An object store that counts downloads."""

    def __init__(self, folder: Path, prefix: str = "pets") -> None:
        self.objects = {
            f"{prefix}/{file.relative_to(folder)}": file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        self.downloads: Counter[str] = Counter()
        self.fails_at = 0

    def list(self, prefix: str) -> list[str]:
        return [key for key in self.objects if key.startswith(prefix)]

    def sizes(self, prefix: str) -> Mapping[str, int]:
        return {key: len(self.objects[key]) for key in self.list(prefix)}

    def download(self, key: str, path: Path) -> None:
        self.downloads[key] += 1
        if self.fails_at and self.downloads.total() >= self.fails_at:
            raise OSError(28, "No space left on device")
        path.write_bytes(self.objects[key])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "claim"
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


@pytest.fixture
def objects(make_folder: MakeFolder) -> Objects:
    return Objects(make_folder({"cat": 4, "dog": 4}))


def num_images(data: ImageDataset) -> int:
    return len(data.train) + len(data.val) + len(data.test)


def left(cache: Path) -> list[str]:
    return sorted(os.listdir(cache / "data"))


def test_a_data_set_is_copied_once(cache: Path, objects: Objects) -> None:
    for _ in range(2):
        data = load_dataset(DATA, seed=0, source_store=objects)
        assert (data.name, data.class_names) == ("pets", ("cat", "dog"))
    assert set(objects.downloads.values()) == {1}
    assert len(left(cache)) == 1


def test_without_a_cache_each_has_its_own_copy(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for _ in range(2):
        load_dataset(DATA, seed=0, source_store=objects)
    assert set(objects.downloads.values()) == {2}


def test_other_objects_are_another_copy(cache: Path, objects: Objects) -> None:
    """The old copy is kept, as another process may be reading it."""
    first = load_dataset(DATA, seed=0, source_store=objects)
    objects.objects["pets/cat/more.png"] = objects.objects["pets/cat/0.png"]
    second = load_dataset(DATA, seed=0, source_store=objects)
    assert num_images(second) == num_images(first) + 1
    assert len(left(cache)) == 2


def test_an_archive_and_shards_are_copied_too(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.zip").write_bytes(b"zip")
    objects = Objects(source)
    for _ in range(2):
        copy = local_copy(f"{DATA}/a.zip", objects, DataConfig(), ScratchFolder())
        assert (Path(copy).name, Path(copy).read_bytes()) == ("a.zip", b"zip")
        shards = local_copy(f"shards:{DATA}", objects, DataConfig(), ScratchFolder())
        assert shards.startswith(f"shards:{cache}/")
    assert objects.downloads == {"pets/a.zip": 2}  # once as an archive, once as shards


def test_what_is_cut_off_is_no_copy(cache: Path, objects: Objects) -> None:
    objects.fails_at = 5
    with pytest.raises(DataError, match="No space left"):
        load_dataset(DATA, seed=0, source_store=objects)
    assert left(cache) == []
    objects.fails_at = 0
    assert num_images(load_dataset(DATA, seed=0, source_store=objects)) == 8


def test_of_two_that_copy_at_once_one_stays(cache: Path) -> None:
    started = threading.Barrier(2)
    found: list[Path] = []

    def copy(folder: Path, alive: Callable[[], None]) -> None:
        started.wait(10)
        (folder / "a").write_text(str(uuid.uuid4()))
        alive()

    def fetch() -> None:
        opened = open_data_cache()
        assert opened is not None
        found.append(opened.copied(DATA, {"a": 36}, copy))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert left(cache) == [found[0].name]
    assert len((found[0] / "a").read_text()) == 36


def test_copies_of_processes_that_died_go_and_young_ones_stay(cache: Path) -> None:
    for name, age_s in ((".partial-old", 7 * 3600), (".partial-new", 3600)):
        folder = cache / "data" / name
        folder.mkdir(parents=True)
        (folder / "half").write_text("x")
        os.utime(folder, (time.time() - age_s,) * 2)
    DataCache(cache / "data").copied(DATA, {}, lambda folder, alive: None)
    assert [name for name in left(cache) if name.startswith(".")] == [".partial-new"]


def test_a_copy_under_way_shows_signs_of_life(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasoa.data.data_cache._SIGN_OF_LIFE_S", -1.0)

    def copy(folder: Path, alive: Callable[[], None]) -> None:
        os.utime(folder, (0, 0))
        alive()
        assert folder.stat().st_mtime > 0

    DataCache(cache / "data").copied(DATA, {}, copy)


def test_others_may_read_a_copy(cache: Path) -> None:
    copy = DataCache(cache / "data").copied(DATA, {}, lambda folder, alive: None)
    assert copy.stat().st_mode & 0o777 == 0o755


def test_a_cache_that_cannot_be_written_is_one_line(
    cache: Path, objects: Objects, tmp_path: Path
) -> None:
    cache.write_text("not a folder")
    with pytest.raises(DataError) as caught:
        load_dataset(DATA, seed=0, source_store=objects)
    assert "NASOA_DATA_CACHE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not objects.downloads


def test_the_limit_of_a_disk_is_not_that_of_a_claim(cache: Path, objects: Objects) -> None:
    config = DataConfig(max_archive_bytes=9)
    assert num_images(load_dataset(DATA, seed=0, source_store=objects, config=config)) == 8
