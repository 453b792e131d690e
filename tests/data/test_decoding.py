"""Decoded images are read from the cache the second time, unless anything has changed."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, decoding, load_dataset
from nasoa.data.dataset import DiskSplit, MemorySplit
from nasoa.errors import DataError

from .conftest import MakeFolder, noise

OVER_BUDGET = DataConfig(memory_budget_bytes=0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that also stores images that take hardly any time to decode."""
    monkeypatch.setenv("NASOA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(decoding, "MIN_CACHED_S", 0.0)
    return tmp_path / "cache" / "images"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all images that were decoded."""
    from nasoa.data import reader

    paths: list[str] = []

    def recorded(opener: object, path: str, *rest: object) -> object:
        paths.append(path)
        return real(opener, path, *rest)

    real: Callable[..., object] = reader.decode
    monkeypatch.setattr(reader, "decode", recorded)
    return paths


def everything(data: ImageDataset) -> Tensor:
    splits = (data.train, data.val, data.test)
    return torch.cat([split.images(torch.arange(len(split))) for split in splits])


def load(root: Path, config: DataConfig | None = None, resolution: int | None = None) -> Tensor:
    return everything(load_dataset(str(root), seed=0, config=config, resolution=resolution))


def test_the_second_time_nothing_is_decoded(make_folder: MakeFolder, decoded: list[str]) -> None:
    root = make_folder({"cat": 20, "dog": 20})
    (root / "cat" / "broken.png").write_bytes(b"")
    first = load_dataset(str(root), seed=0, resolution=32)
    assert len(decoded) == 41
    second = load_dataset(str(root), seed=0, resolution=32)
    assert len(decoded) == 41
    assert torch.equal(everything(first), everything(second))
    assert second.num_skipped == first.num_skipped == 1
    assert second.image_resolution == first.image_resolution == 40
    assert torch.equal(first.train.labels, second.train.labels)
    with pytest.raises(DataError, match="expected at most 0%"):
        load_dataset(str(root), seed=0, resolution=32, config=DataConfig(max_bad_share=0))


def test_another_resolution_or_another_limit_is_decoded_anew(
    make_folder: MakeFolder, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    load(root, resolution=32)
    load(root, resolution=64)
    assert len(decoded) == 20
    with pytest.raises(DataError, match="expected at most 1000"):
        load(root, DataConfig(max_pixels=1000), resolution=32)
    count = len(decoded)
    monkeypatch.setattr(decoding, "DECODER_VERSION", 0)
    load(root, resolution=32)
    assert len(decoded) == count + 10


def rewrite_in_place(root: Path) -> None:
    """Replace a file by one with the same size and time of modification but other pixels."""
    path = root / "cat" / "0.bmp"
    times = path.stat()
    noise(1000).save(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)


def add(root: Path) -> None:
    noise(1000).save(root / "cat" / "5.bmp")


def remove(root: Path) -> None:
    (root / "cat" / "0.bmp").unlink()


def rename(root: Path) -> None:
    (root / "cat" / "0.bmp").rename(root / "cat" / "9.bmp")


def exchange(root: Path) -> None:
    (root / "cat" / "0.bmp").rename(root / "x")
    (root / "dog" / "0.bmp").rename(root / "cat" / "0.bmp")
    (root / "x").rename(root / "dog" / "0.bmp")


@pytest.mark.parametrize("change", [rewrite_in_place, add, remove, rename, exchange])
@pytest.mark.parametrize("config", [DataConfig(), OVER_BUDGET])
def test_no_change_of_a_folder_gives_old_pixels(
    make_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    config: DataConfig,
) -> None:
    root = make_folder({"cat": 5, "dog": 5}, suffix=".bmp")
    load(root, config)
    change(root)
    after = load(root, config)
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    assert torch.equal(after, load(root))


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_archives(make_folder: MakeFolder, tmp_path: Path, decoded: list[str], kind: str) -> None:
    root = make_folder({"cat": 5, "dog": 5}, suffix=".bmp")
    path = Path(shutil.make_archive(str(tmp_path / "x"), kind, root))
    first = load(path)
    assert torch.equal(load(path), first)
    assert len(decoded) == 10
    noise(1000).save(root / "cat" / "0.bmp")
    shutil.make_archive(str(tmp_path / "x"), kind, root)
    second = load(path)
    assert not torch.equal(second, first)
    assert len(decoded) == 20


def test_an_archive_that_is_replaced_while_it_is_read_is_not_kept(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    from nasoa.data import reader

    root = make_folder({"cat": 5, "dog": 5})
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(root, ".")
    real: Callable[..., object] = reader.decode

    def touching(*arguments: object) -> object:
        path.touch()
        return real(*arguments)

    for config in (DataConfig(), OVER_BUDGET):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "decode", touching)
            first = load(path, config)
        assert not cache.exists() or not list(cache.iterdir())
        assert torch.equal(first, load(root))
        shutil.rmtree(cache)


def test_arrays(tmp_path: Path, decoded: list[str]) -> None:
    path = tmp_path / "x.npz"
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    labels = np.arange(20) % 2
    np.savez(path, x=images, y=labels)
    first = load(path)
    assert torch.equal(load(path), first)
    assert len(decoded) == 20
    images[3] += 1
    np.savez(path, x=images, y=labels)
    assert not torch.equal(load(path), first)


def test_files_of_torchvision(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    pytest.importorskip("torchvision")
    root = make_folder({"eurosat/2750/Forest": 5, "eurosat/2750/River": 5})
    monkeypatch.setenv("TORCHVISION_DATA", str(root))
    first = everything(load_dataset("torchvision:EuroSAT", seed=0))
    assert torch.equal(everything(load_dataset("torchvision:EuroSAT", seed=0)), first)
    assert len(decoded) == 10
    noise(1000).save(root / "eurosat" / "2750" / "River" / "0.png")
    assert not torch.equal(everything(load_dataset("torchvision:EuroSAT", seed=0)), first)
    assert len(decoded) == 20


def test_a_damaged_file_is_made_again(
    make_folder: MakeFolder, decoded: list[str], cache: Path
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    first = load(root)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:]):
        decoded.clear()
        kept.write_bytes(damaged)
        assert torch.equal(load(root), first)
        assert len(decoded) == 10
        assert kept.read_bytes() == whole


def test_what_is_decoded_at_once_is_not_kept(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(decoding, "MIN_CACHED_S", 60.0)
    load(make_folder({"cat": 5, "dog": 5}))
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_fails_nothing(
    make_folder: MakeFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.DEBUG):
        assert len(load(root)) == len(load(root, OVER_BUDGET)) == 10
    (told,) = (record for record in caplog.records if record.levelno > logging.INFO)
    assert "decoded each time that they are used" in told.getMessage()


def test_over_the_budget_images_are_decoded_once_into_a_file(
    make_folder: MakeFolder, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 20, "dog": 20}, suffix=".jpg")
    damaged = root / "cat" / "3.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-400])
    first = load_dataset(str(root), seed=0, config=OVER_BUDGET)
    assert isinstance(first.train, MemorySplit)
    assert first.num_skipped == 1
    images = everything(first)
    assert torch.equal(images, load(root, OVER_BUDGET))
    assert len(decoded) == 40
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
    assert torch.equal(images, load(root))


def test_over_the_budget_and_the_bound_images_are_read_from_the_data(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    monkeypatch.setenv("NASOA_CACHE_BYTES", "1000")
    data = load_dataset(str(root), seed=0, config=OVER_BUDGET)
    assert isinstance(data.train, DiskSplit)
    assert not list(cache.iterdir())
    assert len(load(root)) == 10


def test_processes_that_train_together_do_not_rest_on_the_cache(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    load(root, OVER_BUDGET)
    monkeypatch.setenv("WORLD_SIZE", "2")
    data = load_dataset(str(root), seed=0, config=OVER_BUDGET)
    assert isinstance(data.train, DiskSplit)
    assert len(decoded) == 20  # the sample that is decoded in advance is read from the data
    load(root)
    assert len(decoded) == 20


def test_one_line_of_the_log_says_where_images_come_from(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 50, "dog": 50})

    def line(config: DataConfig, resolution: int) -> str:
        caplog.clear()
        load(root, config, resolution)
        (record,) = (r for r in caplog.records if r.name == decoding.__name__)
        return record.getMessage()

    with caplog.at_level(logging.INFO):
        assert line(DataConfig(), 64).endswith("100 images of 64 px, 1 MB: decoded into memory")
        assert re.search(r"100 images of 64 px, 1 MB: mapped from the cache", line(OVER_BUDGET, 64))
        assert "decoded into a file in" in line(OVER_BUDGET, 128)
        monkeypatch.setenv("NASOA_CACHE_BYTES", "0")
        assert "decoded each time that they are used" in line(OVER_BUDGET, 64)


def test_a_cached_set_of_photographs_starts_faster(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(4):
            noise(number, 1500, 2000).save(tmp_path / "set" / name / f"{number}.jpg")

    def seconds() -> float:
        began = time.perf_counter()
        load_dataset(str(tmp_path / "set"), seed=0, resolution=64)
        return time.perf_counter() - began

    first, second = seconds(), min(seconds() for _ in range(3))
    assert second < first / 2
