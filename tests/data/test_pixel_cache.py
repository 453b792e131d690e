"""The cache of decoded images: limits, damage, several processes, and missing permissions."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from nasoa.data.pixel_cache import DEFAULT_BYTES, PixelCache, cache_folder, open_cache
from nasoa.data.pixel_file import PixelMetadata, Pixels
from nasoa.errors import InvalidInput

SHAPE = (6, 3, 512, 512)  # large enough for several blocks with checksums
NUM_BYTES = int(np.prod(SHAPE))
METADATA = PixelMetadata(40, {3: "not an image"})
MIB = 1024**2


def pixels(seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def cache_in(folder: Path, max_bytes: int = 10 * NUM_BYTES) -> PixelCache:
    return PixelCache(folder / "images", max_bytes, workers=2)


def keys(cache: PixelCache) -> list[str]:
    return sorted(path.name.removesuffix(".pixels") for path in cache.folder.iterdir())


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    assert cache.get("a", SHAPE) is None
    cache.put("a", pixels(), METADATA)
    found = cache.get("a", SHAPE)
    assert found is not None
    assert np.array_equal(found[0], pixels())
    assert found[1] == METADATA
    assert cache.get("b", SHAPE) is None
    assert keys(cache) == ["a"]


def test_writing_into_what_was_found_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", pixels(), METADATA)
    found = cache.get("a", SHAPE)
    assert found is not None
    found[0][:] = 7
    again = cache.get("a", SHAPE)
    assert again is not None
    assert np.array_equal(again[0], pixels())


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "cut_in_pixels", "longer", "first", "middle", "last", "metadata"]
)
def test_a_damaged_file_is_detected_and_removed(tmp_path: Path, damage: str) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", pixels(), METADATA)
    (path,) = cache.folder.iterdir()
    whole = bytearray(path.read_bytes())
    places = {
        "first": 0,
        "middle": NUM_BYTES // 2,
        "last": NUM_BYTES - 1,
        "metadata": NUM_BYTES + 9,
    }
    if damage in places:
        whole[places[damage]] ^= 1
    sizes = {"empty": 0, "cut": len(whole) - 1, "cut_in_pixels": NUM_BYTES // 2}
    path.write_bytes(whole[: sizes.get(damage, len(whole))] + b"x" * (damage == "longer"))
    assert cache.get("a", SHAPE) is None
    assert keys(cache) == []


def test_a_file_of_another_shape_is_not_taken(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", pixels(), METADATA)
    assert cache.get("a", (6, 3, 256, 1024)) is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, max_bytes=3 * NUM_BYTES + 2 * MIB)
    for age, key in enumerate("cba"):
        cache.put(key, pixels(), METADATA)
        long_ago = time.time() - 1000 * (3 - age)
        os.utime(cache.folder / f"{key}.pixels", (long_ago, long_ago))
    assert cache.get("c", SHAPE) is not None
    cache.put("d", pixels(), METADATA)
    assert keys(cache) == ["a", "c", "d"]


def test_what_is_larger_than_the_bound_removes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache_in(tmp_path).put("a", pixels(), METADATA)
    cache = cache_in(tmp_path, max_bytes=NUM_BYTES)
    with caplog.at_level(logging.INFO):
        cache.put("b", pixels(), METADATA)
    assert keys(cache) == ["a"]
    assert "not stored" in caplog.text
    with pytest.raises(OSError, match="no room"), cache.mapped(SHAPE):
        pass


def test_at_most_a_tenth_of_the_free_disk_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    cache = cache_in(tmp_path)

    def free(num_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**50, 0, num_bytes))

    free(10 * NUM_BYTES)
    cache.put("a", pixels(), METADATA)
    assert keys(cache) == []
    free(14 * NUM_BYTES)
    cache.put("a", pixels(), METADATA)
    assert keys(cache) == ["a"]
    cache.put("b", pixels(), METADATA)
    assert keys(cache) == ["b"]
    free(40 * NUM_BYTES)
    cache.put("c", pixels(), METADATA)
    assert keys(cache) == ["b", "c"]


def test_what_a_dead_process_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, max_bytes=2 * NUM_BYTES + 2 * MIB)
    cache.folder.mkdir()
    for name, age_s in {".partial-dead": 7200, ".partial-alive": 60}.items():
        path = cache.folder / name
        path.write_bytes(bytes(NUM_BYTES))
        os.utime(path, (time.time() - age_s,) * 2)
    cache.put("a", pixels(), METADATA)
    assert keys(cache) == [".partial-alive", "a"]
    cache.put("b", pixels(), METADATA)
    assert keys(cache) == [".partial-alive", "b"]


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    cache = cache_in(tmp_path)
    with caplog.at_level(logging.INFO):
        cache.put("a", pixels(), METADATA)
        assert cache.get("a", SHAPE) is None
    assert all(record.levelno <= logging.INFO for record in caplog.records)
    with pytest.raises(OSError, match="exists"), cache.mapped(SHAPE):
        pass


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_in(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nasoa.data.pixel_cache.write_metadata", full)
    cache.put("a", pixels(), METADATA)
    assert keys(cache) == []
    with cache.mapped(SHAPE) as mapped:
        mapped.pixels[:] = pixels()
        mapped.finish("a", METADATA)
        kept = mapped.unshared()
    assert keys(cache) == []
    assert np.array_equal(kept, pixels())


def test_a_mapped_file_is_found_like_any_other(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    with cache.mapped(SHAPE) as mapped:
        mapped.pixels[:] = pixels()
        assert cache.get("a", SHAPE) is None
        mapped.finish("a", METADATA)
        images = mapped.unshared()
    images[0] = 7
    found = cache.get("a", SHAPE)
    assert found is not None
    assert np.array_equal(found[0], pixels())
    assert found[1] == METADATA
    with pytest.raises(KeyboardInterrupt), cache.mapped(SHAPE):
        raise KeyboardInterrupt
    assert keys(cache) == ["a"]


def put_and_get(folder: Path, seed: int) -> bool:
    """Store and read images beside other processes; return whether all found ones are complete."""
    cache = cache_in(folder, max_bytes=3 * NUM_BYTES)
    whole = True
    for round_ in range(4):
        key = "abc"[(seed + round_) % 3]
        cache.put(key, pixels("abc".index(key)), METADATA)
        for other in "abc":
            found = cache.get(other, SHAPE)
            whole &= found is None or np.array_equal(found[0], pixels("abc".index(other)))
    return whole


@pytest.mark.slow
def test_several_processes_use_one_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.starmap(put_and_get, [(tmp_path, seed) for seed in range(2)])
    assert results == [True, True]
    assert not list((tmp_path / "images").glob(".partial-*"))


def test_the_environment_names_folder_and_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_CACHE_DIR", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("NASOA_CACHE_DIR")
    assert cache_folder() == Path("/b/nasoa")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/c/.cache/nasoa")
    cache = open_cache(workers=2)
    assert cache is not None
    assert (cache.folder, cache.max_bytes) == (Path("/c/.cache/nasoa/images"), DEFAULT_BYTES)
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    assert open_cache(workers=2) is None
    for malformed in ("4G", "-1", "1.5"):
        monkeypatch.setenv("NASOA_CACHE_BYTES", malformed)
        with pytest.raises(InvalidInput, match=f"number of bytes, got '{malformed}'"):
            open_cache(workers=2)
