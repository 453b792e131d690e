"""Shards are written, read in place, and refused if they are damaged."""

from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data import BatchOrder, ImageDataset, batching, fingerprint, load_dataset, write_shards
from nasoa.data.shard_paths import find_shards
from nasoa.errors import DataError
from nasoa.store import open_store

from .conftest import MakeFolder, noise

STREAMED = DataConfig(memory_budget_bytes=0, workers=1)


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    noise(seed).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, raw in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return path


def samples(count: int = 8, first: int = 0) -> dict[str, bytes]:
    members = {}
    for i in range(first, first + count):
        members |= {f"{i:04d}.png": png(i), f"{i:04d}.cls": str(i % 2).encode()}
    return members


def contents(data: ImageDataset, split: str) -> Counter[tuple[str, bytes]]:
    """Count the images of a split together with their classes."""
    part = getattr(data, split)
    images: Tensor = part.images(torch.arange(len(part)))
    return Counter(
        (data.class_names[label], image.numpy().tobytes())
        for label, image in zip(part.labels.tolist(), images, strict=True)
    )


def refusal(data: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(f"shards:{data}", seed=0, resolution=32)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("config", [None, STREAMED])
def test_what_is_written_comes_back(
    make_folder: MakeFolder, tmp_path: Path, config: DataConfig | None
) -> None:
    counts = {"train/cat": 9, "train/dog": 7, "val/cat": 2, "val/dog": 2, "test/dog": 3}
    folder = make_folder(counts)
    written = write_shards(str(folder), tmp_path / "shards", images_per_shard=5)
    assert written.shards == {"train": 4, "val": 1, "test": 1}
    assert written.images == {"train": 16, "val": 4, "test": 3}
    original = load_dataset(str(folder), seed=0, resolution=32)
    read = load_dataset(f"shards:{tmp_path}/shards", seed=0, resolution=32, config=config)
    assert read.class_names == original.class_names == ("cat", "dog")
    assert read.name == "shards"
    for split in ("train", "val", "test"):
        assert contents(read, split) == contents(original, split)


def test_without_splits_they_are_made_when_read_and_groups_are_kept(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = make_folder({"10": 6, "9": 6})
    for name in ("10", "9"):
        for i, path in enumerate(sorted((folder / name).iterdir())):
            path.rename(path.parent / f"g{name}x{i // 2}_{i % 2}.png")
    write_shards(str(folder), tmp_path / "shards", images_per_shard=100)
    assert (tmp_path / "shards" / "classes.txt").read_text() == "10\n9\n"
    read = load_dataset(f"shards:{tmp_path}/shards", seed=0, resolution=32)
    original = load_dataset(str(folder), seed=0, resolution=32)
    assert read.class_names == original.class_names
    assert sum((contents(read, s) for s in ("train", "val", "test")), Counter()) == sum(
        (contents(original, s) for s in ("train", "val", "test")), Counter()
    )
    # The two images of a group are in the same split.
    assert all(len(getattr(read, split)) % 2 == 0 for split in ("train", "val", "test"))


def test_the_same_data_gives_the_same_bytes(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 4, "dog": 4})
    for name in ("a", "b"):
        write_shards(str(folder), tmp_path / name, images_per_shard=3)
    files = [sorted((tmp_path / name).iterdir()) for name in ("a", "b")]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


def test_arrays_become_files(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 9, 9), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(20) % 2)
    write_shards(str(tmp_path / "a.npz"), tmp_path / "shards", images_per_shard=100)
    read = load_dataset(f"shards:{tmp_path}/shards", seed=0, resolution=32)
    assert read.class_names == ("0", "1")
    assert sum(len(getattr(read, s)) for s in ("train", "val", "test")) == 20


def test_a_folder_that_is_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(tmp_path / "a" / "0.tar", samples())
    (tmp_path / "gone.tar").mkdir()
    scan = os.scandir

    def without(path: Any) -> Any:
        if str(path).endswith("gone.tar"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", without)
    assert find_shards(str(tmp_path), "x") == [tmp_path / "a" / "0.tar"]


def test_names_tell_splits_and_patterns_choose_shards(tmp_path: Path) -> None:
    for number, path in enumerate(
        ["pets-train-0.tar", "pets-train-1.tar", "pets-validation-0.tar"]
    ):
        write_tar(tmp_path / path, samples(first=10 * number))
    write_tar(tmp_path / "test" / "0.tar", samples(first=50))
    whole = load_dataset(f"shards:{tmp_path}", seed=0, resolution=32)
    assert [len(getattr(whole, s)) for s in ("train", "val", "test")] == [16, 8, 8]
    pattern = f"shards:{tmp_path}/pets-{{train-{{0..1}},validation-0}}.tar"
    with pytest.raises(DataError, match="no shards match"):
        load_dataset(pattern, seed=0, resolution=32)  # nested braces are not supported
    part = load_dataset(f"shards:{tmp_path}/pets-train-{{0..1}}.tar", seed=0, resolution=32)
    assert sum(len(getattr(part, s)) for s in ("train", "val", "test")) == 16


def test_the_name_of_the_only_folder_says_nothing(tmp_path: Path) -> None:
    write_tar(tmp_path / "test" / "0.tar", samples())
    data = load_dataset(f"shards:{tmp_path}/test", seed=0, resolution=32)
    assert len(data.train) > len(data.test)


def test_a_store_may_hold_them(tmp_path: Path) -> None:
    write_tar(tmp_path / "store" / "source" / "pets" / "train-0.tar", samples())
    data = load_dataset(
        "shards:s3://bucket/source/pets",
        seed=0,
        resolution=32,
        source_store=open_store(str(tmp_path / "store")),
    )
    assert data.name == "pets"
    assert data.class_names == ("0", "1")


def test_a_fingerprint_changes_with_them(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", samples())
    before = fingerprint(f"shards:{tmp_path}")
    assert fingerprint(f"shards:{tmp_path}/a.tar") == before
    write_tar(tmp_path / "b.tar", samples(first=8))
    assert fingerprint(f"shards:{tmp_path}") != before


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    batch_size=st.integers(1, 20),
    together=st.integers(1, 30),
    seed=st.integers(0, 2**32),
)
def test_every_epoch_holds_every_image_once_and_few_shards_at_a_time(
    sizes: list[int], batch_size: int, together: int, seed: int
) -> None:
    shards = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = len(shards)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "SHUFFLED_TOGETHER", together)
        order = BatchOrder(count, batch_size, seed, shards)
        batches = [order.indices(i) for i in range(-(-2 * count // batch_size))]
        again = BatchOrder(count, batch_size, seed, shards)
        assert torch.equal(again.indices(len(batches) - 1), batches[-1])
    for epoch in range(2):
        part = torch.cat(batches)[epoch * count : (epoch + 1) * count]
        assert torch.equal(part.sort().values, torch.arange(count))
        # All images of a shard come within a window and the length of the largest shard.
        seen = shards[part].tolist()
        for shard in set(seen):
            first = seen.index(shard)
            last = count - 1 - seen[::-1].index(shard)
            assert last - first < together + max(sizes)


def test_a_shard_that_is_not_whole_is_named(tmp_path: Path) -> None:
    good = write_tar(tmp_path / "0.tar", samples())
    bad = tmp_path / "1.tar"
    raw = good.read_bytes()
    # Truncated inside an image, truncated between two images, and with a damaged header.
    with tarfile.open(good) as archive:
        third = archive.getmembers()[4].offset
    damaged = raw[: third + 10] + b"\xff" * 40 + raw[third + 50 :]
    for broken in (raw[: third + 900], raw[:third], damaged, b"no tar", b""):
        bad.write_bytes(broken)
        message = refusal(tmp_path)
        assert message.startswith(f"shard {bad} is not a complete tar archive")
        assert "copy it again, or remove it" in message


def test_labels(tmp_path: Path) -> None:
    members = samples()
    path = tmp_path / "0.tar"
    write_tar(path, {k: v for k, v in members.items() if k != "0003.cls"})
    assert f"shard {path} has no class for '0003.png': expected '0003.cls'" in refusal(tmp_path)
    write_tar(path, {k: v for k, v in members.items() if not k.endswith(".cls")})
    assert "has no class for '0000.png'" in refusal(tmp_path)
    write_tar(path, members | {"0003.cls": b"x" * 2000})
    assert "'0003.cls' has 2000 bytes" in refusal(tmp_path)
    write_tar(path, members | {"0003.cls": b"\xff"})
    assert f"shard {path}: '0003.cls' is not text in UTF-8" in refusal(tmp_path)
    write_tar(path, members | {"0003.cls": b"2"})
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert "contains '2', expected a number below 2 or a name in classes.txt" in refusal(tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ncat\n")
    assert "expected a different name on each line" in refusal(tmp_path)


def test_no_shards(tmp_path: Path) -> None:
    assert "no .tar files in" in refusal(tmp_path)
    assert "no shards match" in refusal(tmp_path / "train-{0..9}.tar")
    assert "names no shards" in refusal("")
    write_tar(tmp_path / "train-0.tar", samples())
    assert "1 of the 2 shards" in refusal(tmp_path / "train-{0..1}.tar")
    write_tar(tmp_path / "train-0.tar", {"notes.txt": b"none"})
    assert "no images in" in refusal(tmp_path)
    write_tar(tmp_path / "train-0.tar", {"../x.png": png(), **samples()})
    assert "expected relative paths without '..'" in refusal(tmp_path)


@pytest.mark.parametrize(
    "pattern",
    [
        "{0.." + "9" * 5000 + "}.tar",
        "{" + "9" * 5000 + "..9}.tar",
        "{" + "0" * 4000 + "..1}.tar",
        "x" * 5000 + "{0..999999}.tar",
        "{0..999}" * 3 + ".tar",
        "{\u0661..\u0662}.tar",
    ],
)
def test_patterns_that_stand_for_too_much_or_nothing(pattern: str) -> None:
    with pytest.raises(DataError) as caught:
        find_shards(pattern, pattern)
    assert len(str(caught.value)) < 3000


def test_folders_that_are_not_empty_are_left_alone(make_folder: MakeFolder) -> None:
    folder = make_folder({"cat": 4, "dog": 4})
    with pytest.raises(DataError, match="is not empty: expected a new or an empty folder"):
        write_shards(str(folder), folder, images_per_shard=3)
    with pytest.raises(DataError, match="at least 1 image per shard, got 0"):
        write_shards(str(folder), folder, images_per_shard=0)
    with pytest.raises(DataError, match="cannot be written"):
        write_shards(str(folder), folder / "cat" / "0.png" / "x", images_per_shard=3)
