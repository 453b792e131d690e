"""Data sets are loaded from every form of DATA, into memory or to be read from disk."""

from __future__ import annotations

import itertools
import logging
import math
import pickle
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data import (
    BatchOrder,
    ImageDataset,
    ImageSplit,
    bucket_uri,
    fingerprint,
    load_dataset,
    write_shards,
)
from nasoa.data.open_data import open_source
from nasoa.data.splits import split_indices
from nasoa.errors import DataError, ObjectNotFound, UnknownName

from .conftest import MakeFolder

ON_DISK = DataConfig(memory_budget_bytes=0)
SPLITS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets over the memory budget are read from the data, not from a file in the cache."""
    monkeypatch.setenv("NASOA_CACHE_BYTES", "0")


def whole(split: ImageSplit) -> Tensor:
    return split.images(torch.arange(len(split)))


def assert_same(one: ImageDataset, other: ImageDataset) -> None:
    assert one.class_names == other.class_names
    for name in SPLITS:
        left, right = getattr(one, name), getattr(other, name)
        assert torch.equal(left.labels, right.labels)
        assert torch.equal(whole(left), whole(right))


class FolderStore:
    """A bucket whose objects are the files of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, prefix: str) -> list[str]:
        files = (path for path in self.root.rglob("*") if path.is_file())
        keys = sorted(path.relative_to(self.root).as_posix() for path in files)
        return [key for key in keys if key.startswith(prefix)]

    def sizes(self, prefix: str) -> dict[str, int]:
        return {key: (self.root / key).stat().st_size for key in self.list(prefix)}

    def etags(self, prefix: str) -> dict[str, str]:
        return {key: str(zlib.crc32((self.root / key).read_bytes())) for key in self.list(prefix)}

    def download(self, key: str, path: Path) -> None:
        if not (self.root / key).is_file():
            raise ObjectNotFound("bucket", key)
        path.write_bytes((self.root / key).read_bytes())


def test_a_folder(make_folder: MakeFolder) -> None:
    root = make_folder({"dog": 20, "cat": 40})
    (root / ".DS_Store").write_text("junk")
    data = load_dataset(str(root), seed=0)
    assert data.name == "pets"
    assert data.data == str(root)
    assert data.class_names == ("cat", "dog")
    assert (data.resolution, data.image_resolution, data.num_skipped) == (64, 40, 0)
    assert [len(getattr(data, split)) for split in SPLITS] == [45, 6, 9]
    images = whole(data.val)
    assert images.shape == (6, 3, 64, 64)
    assert images.dtype == torch.uint8
    assert data.val.labels.dtype == torch.int64
    assert data.val.labels.tolist() == [0] * 4 + [1] * 2


def test_images_go_with_their_labels(tmp_path: Path) -> None:
    for name, colour in {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}.items():
        (tmp_path / name).mkdir()
        for number in range(6):
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{number}.png")
    for config in (DataConfig(), ON_DISK):
        data = load_dataset(str(tmp_path), seed=0, config=config)
        assert data.class_names == ("blue", "green", "red")
        for images, labels in data.train.batches([torch.tensor([11, 0, 5]), torch.tensor([7])]):
            assert torch.equal(images[:, :, 0, 0].argmax(dim=1), 2 - labels)


def test_memory_and_disk_give_the_same(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 30, "dog": 30}, suffix=".jpg")
    (root / "cat" / "broken.jpg").write_bytes(b"")
    kept = load_dataset(str(root), seed=0)
    read = load_dataset(str(root), seed=0, config=ON_DISK)
    assert kept.num_skipped == read.num_skipped == 1
    assert_same(kept, read)
    order = BatchOrder(len(kept.train), 16, seed=0)

    def endless() -> Iterator[Tensor]:
        return (order.indices(iteration) for iteration in itertools.count())

    pairs = zip(kept.train.batches(endless()), read.train.batches(endless()), strict=True)
    for (one, one_labels), (other, other_labels) in itertools.islice(pairs, 5):
        assert torch.equal(one, other)
        assert torch.equal(one_labels, other_labels)


def test_where_shared_memory_is_small_images_are_read_one_after_another(
    make_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A process that runs out of it would be killed by SIGBUS, as happens in containers."""
    root = make_folder({"cat": 30, "dog": 30})
    kept = load_dataset(str(root), seed=0)
    read = load_dataset(str(root), seed=0, config=ON_DISK)
    monkeypatch.setattr(
        "nasoa.data.dataset.shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 0)
    )
    batches = [torch.arange(8), torch.arange(8, 16)]
    pairs = zip(kept.train.batches(batches), read.train.batches(batches), strict=True)
    for (one, _labels), (other, _other_labels) in pairs:
        assert torch.equal(one, other)
    assert "read one after another" in caplog.text
    assert list(read.train.batches([])) == []


def test_over_the_budget_a_damaged_image_is_stood_in_for(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"cat": 20, "dog": 20}, suffix=".jpg")
    damaged = root / "cat" / "3.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-400])
    kept = load_dataset(str(root), seed=0)
    assert kept.num_skipped == 1
    read = load_dataset(str(root), seed=0, config=ON_DISK)
    assert read.num_skipped == 0
    with caplog.at_level(logging.WARNING):
        images = torch.cat([whole(getattr(read, split)) for split in SPLITS])
    assert caplog.text.count("another image of its class replaces it") == 1
    assert "cat/3.jpg" in caplog.text
    assert len(images.flatten(1).unique(dim=0)) == 39


def test_archives_give_what_the_folder_gives(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"train/cat": 12, "train/dog": 12, "test/cat": 3, "test/dog": 3})
    expected = load_dataset(str(root), seed=1)
    assert [len(getattr(expected, split)) for split in SPLITS] == [22, 2, 6]
    for kind in ("zip", "tar", "gztar", "xztar"):
        for wrapped in (False, True):
            top = {"root_dir": tmp_path, "base_dir": "pets"} if wrapped else {"root_dir": root}
            path = shutil.make_archive(str(tmp_path / f"set-{wrapped}"), kind, **top)
            data = load_dataset(path, seed=1)
            assert data.name == f"set-{wrapped}"
            assert_same(data, expected)
            read = load_dataset(path, seed=1, config=ON_DISK)
            assert_same(read, expected)
            next(
                iter(load_dataset(path, seed=1, config=ON_DISK).train.batches([torch.tensor([0])]))
            )


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_workers_read_archives(make_folder: MakeFolder, tmp_path: Path, kind: str) -> None:
    path = shutil.make_archive(str(tmp_path / "x"), kind, make_folder({"cat": 20, "dog": 20}))
    split = load_dataset(path, seed=0, config=ON_DISK).train
    split.images(torch.arange(4))
    batches = list(split.batches(torch.arange(len(split)).split(4)))
    assert len(batches) == math.ceil(len(split) / 4) == 8
    assert torch.equal(torch.cat([images for images, _ in batches]), whole(split))


def test_a_data_set_on_disk_is_pickled_for_spawned_workers(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    path = shutil.make_archive(str(tmp_path / "x"), "zip", make_folder({"cat": 5, "dog": 5}))
    data = load_dataset(path, seed=0, config=ON_DISK)
    assert_same(pickle.loads(pickle.dumps(data)), data)


def test_a_zip_written_on_windows(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.png"):
            info = zipfile.ZipInfo("x")
            info.filename = "pets\\" + str(file.relative_to(root)).replace("/", "\\")
            archive.writestr(info, file.read_bytes())
    assert_same(load_dataset(str(path), seed=0), load_dataset(str(root), seed=0))


def test_a_scratch_copy_is_removed(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = shutil.make_archive(str(tmp_path / "set"), "gztar", make_folder({"cat": 4, "dog": 4}))
    data = load_dataset(path, seed=0, config=ON_DISK)
    assert len(list(scratch.iterdir())) == 1
    assert len(whole(data.train)) == len(data.train)
    del data
    assert not list(scratch.iterdir())


def test_an_object_store(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"train/cat": 6, "train/dog": 6, "test/cat": 2, "test/dog": 2})
    shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    expected = load_dataset(str(root), seed=0)
    store = FolderStore(tmp_path)
    for key in ("pets", "pets/", "packed.zip"):
        data = load_dataset(f"s3://bucket/{key}", seed=0, source_store=store)
        assert data.name == key.split(".")[0].rstrip("/")
        assert_same(data, expected)
    assert_same(load_dataset("s3://bucket", seed=0, source_store=FolderStore(root)), expected)
    for missing in ("s3://bucket/absent", "s3://bucket/absent.zip"):
        with pytest.raises(DataError, match=f"no objects? .*{missing}"):
            load_dataset(missing, seed=0, source_store=store)
    with pytest.raises(DataError, match="expected an object store"):
        load_dataset("s3://bucket/pets", seed=0)


def test_the_bucket_of_data() -> None:
    assert bucket_uri("s3://bucket/a/b") == "s3://bucket"
    assert bucket_uri("a/b") is None
    with pytest.raises(DataError, match="names no bucket"):
        bucket_uri("s3:///a")


def test_digits_and_their_subsets() -> None:
    everything = load_dataset("sklearn:digits", seed=0)
    assert everything.name == "digits"
    assert everything.class_names == tuple("0123456789")
    assert sum(len(getattr(everything, split)) for split in SPLITS) == 1797
    assert (everything.image_resolution, everything.resolution) == (8, 32)
    assert int(whole(everything.val).max()) == 255
    some = load_dataset("sklearn:digits:classes=7,3:per_class=60", seed=0)
    assert some.name == "digits-37-x60"
    assert some.class_names == ("3", "7")
    assert [len(getattr(some, split)) for split in SPLITS] == [90, 12, 18]


@pytest.mark.parametrize(
    "subset", ["classes=", "classes=10", "classes=a", "classes=1,1", "per_class=0", "size=3", ""]
)
def test_malformed_subsets(subset: str) -> None:
    with pytest.raises(DataError, match=r"not a subset of the digits: expected sklearn:digits\["):
        load_dataset(f"sklearn:digits:{subset}", seed=0)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array in the format of MNIST's files."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.tobytes())


def test_torchvision_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCHVISION_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"MNIST is not complete.*d\.MNIST\(.*download=True"):
        load_dataset("torchvision:MNIST", seed=0)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    labels = np.arange(40, dtype=np.uint8) % 10
    for part, count in {"train": 40, "t10k": 20}.items():
        images = np.repeat(labels[:count] * 20, 28 * 28).reshape(count, 28, 28)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels[:count])
    data = load_dataset("torchvision:mnist", seed=0)
    assert data.name == "MNIST"
    assert data.class_names[0] == "0 - zero"
    assert len(data.test) == 20
    assert len(data.train) + len(data.val) == 40
    assert torch.equal(whole(data.val)[:, 1, 9, 9], (data.val.labels * 20).to(torch.uint8))
    assert_same(data, load_dataset("torchvision:MNIST", seed=0, config=ON_DISK))


def test_torchvision_eurosat(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    root = make_folder({"eurosat/2750/Forest": 10, "eurosat/2750/River": 10})
    monkeypatch.setenv("TORCHVISION_DATA", str(root))
    data = load_dataset("torchvision:EuroSAT", seed=0)
    assert data.class_names == ("Forest", "River")
    assert [len(getattr(data, split)) for split in SPLITS] == [16, 2, 2]


def test_torchvision_caltech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCHVISION_DATA", str(tmp_path))
    of_101 = tmp_path / "caltech101" / "101_ObjectCategories"
    of_256 = tmp_path / "caltech256" / "256_ObjectCategories"
    for number, name in enumerate(("BACKGROUND_Google", "Faces", "ant")):
        for place in range(1, 11):
            for path in (
                of_101 / name / f"image_{place:04d}.jpg",
                of_256 / f"{number + 1:03d}.{name}" / f"{number + 1:03d}_{place:04d}.jpg",
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (40, 40), (100 * number, 0, 0)).save(path)
    assert load_dataset("torchvision:Caltech101", seed=0).class_names == ("Faces", "ant")
    data = load_dataset("torchvision:caltech256", seed=0)
    assert data.class_names == ("001.BACKGROUND_Google", "002.Faces", "003.ant")
    shades = whole(data.test)[:, 0].float().mean(dim=(1, 2)) / 100
    assert shades.round().int().tolist() == data.test.labels.tolist()


def test_torchvision_stanford_cars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCHVISION_DATA", str(tmp_path))
    with pytest.raises(DataError, match="cannot download it any more"):
        load_dataset("torchvision:StanfordCars", seed=0)
    root = tmp_path / "stanford_cars"
    devkit = root / "devkit"
    devkit.mkdir(parents=True)
    names = np.array(["Audi TT", "BMW M3"], dtype=object)
    savemat(devkit / "cars_meta.mat", {"class_names": names})
    lists = {
        "train": devkit / "cars_train_annos.mat",
        "test": root / "cars_test_annos_withlabels.mat",
    }
    for split, listed in lists.items():
        (root / f"cars_{split}").mkdir()
        fields = np.zeros(12, dtype=[("fname", object), ("class", object)])
        for number in range(12):
            fields[number] = (f"{number:05d}.jpg", 1 + number % 2)
            image = Image.new("RGB", (40, 40), (0, 200 * (number % 2), 0))
            image.save(root / f"cars_{split}" / f"{number:05d}.jpg")
        savemat(listed, {"annotations": fields})
    data = load_dataset("torchvision:stanfordcars", seed=0)
    assert data.class_names == ("Audi TT", "BMW M3")
    assert [len(data.train) + len(data.val), len(data.test)] == [12, 12]
    shades = whole(data.test)[:, 1].float().mean(dim=(1, 2)) / 200
    assert shades.round().int().tolist() == data.test.labels.tolist()


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean CIFAR10"):
        load_dataset("torchvision:CIFAR11", seed=0)
    with pytest.raises(UnknownName, match="did you mean digits"):
        load_dataset("sklearn:digit", seed=0)


def test_a_resolution_asked_for_and_the_largest(make_folder: MakeFolder) -> None:
    root = str(make_folder({"cat": 3, "dog": 3}))
    assert load_dataset(root, seed=0, resolution=24).resolution == 24
    assert load_dataset(root, seed=0, config=DataConfig(max_resolution=48)).resolution == 48


def test_fingerprints(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    path = Path(shutil.make_archive(str(tmp_path / "set"), "tar", root))
    before = fingerprint(str(root)), fingerprint(str(path))
    assert before == (fingerprint(str(root)), fingerprint(str(path)))
    (root / "cat" / "0.png").unlink()
    with tarfile.open(path, "a") as archive:
        archive.add(root / "cat" / "1.png", "cat/9.png")
    assert fingerprint(str(root)) != before[0]
    assert fingerprint(str(path)) != before[1]
    assert fingerprint("sklearn:digits") != fingerprint("sklearn:digits:per_class=9")
    store = FolderStore(tmp_path)
    assert fingerprint("s3://b/pets", store) != fingerprint("s3://b/pets/cat", store)
    with pytest.raises(DataError, match="no file or folder"):
        fingerprint(str(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("data", "own", "beside"),
    [
        ("s3://b/pets", "pets/cat/0.png", "pets2/cat/0.png"),
        ("shards:s3://b/pets/", "pets/0.tar", "pets-old/0.tar"),
        ("s3://b/pets.zip", "pets.zip", "pets.zip.bak"),
    ],
)
def test_a_fingerprint_in_a_bucket_does_not_change_with_what_lies_beside(
    tmp_path: Path, data: str, own: str, beside: str
) -> None:
    """Somebody's new folder of a longer name is no reason to refuse `--resume`."""
    store = FolderStore(tmp_path)
    for key in (own, beside):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"1")
    before = fingerprint(data, store)
    (tmp_path / beside).write_bytes(b"2")
    assert fingerprint(data, store) == before
    (tmp_path / own).write_bytes(b"2")
    assert fingerprint(data, store) != before


@pytest.mark.parametrize("form", ["folder", "shards", "s3"])
def test_a_fingerprint_changes_with_content_of_the_same_size(
    make_folder: MakeFolder, tmp_path: Path, form: str
) -> None:
    """For example, the images of two classes may have been exchanged."""
    root = make_folder({"cat": 3, "dog": 3})
    data, store = str(root), None
    if form == "shards":
        write_shards(data, tmp_path / "shards", images_per_shard=10)
        data = f"shards:{tmp_path / 'shards'}"
        (file,) = (tmp_path / "shards").glob("*.tar")
    else:
        file = root / "cat" / "0.png"
    if form == "s3":
        data, store = f"s3://b/{root.name}", FolderStore(root.parent)
    before = fingerprint(data, store)
    assert before == fingerprint(data, store)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert fingerprint(data, store) != before


def test_pacs_photo(shared: Path) -> None:
    path = str(shared / "data" / "pacs_photo.zip")
    data = load_dataset(path, seed=0)
    assert data.name == "pacs_photo"
    assert len(data.class_names) == 7
    assert (data.resolution, data.image_resolution) == (64, 64)
    assert len(data.train) + len(data.val) == 1253
    assert len(data.test) == 417
    assert 120 <= len(data.val) <= 130
    assert_same(data, load_dataset(path, seed=0, config=ON_DISK))


@pytest.mark.parametrize(("name", "num_classes"), [("gtsrb43", 43), ("houses4", 4)])
def test_groups_of_real_sets_do_not_straddle(shared: Path, name: str, num_classes: int) -> None:
    path = str(shared / "data" / f"{name}.zip")
    records = open_source(path, DataConfig(), None).records
    parts = split_indices(records, seed=0, config=DataConfig())
    train, val = ({(records[i].group) for i in parts[split]} for split in ("train", "val"))
    assert None not in train
    assert len(val) > 20
    assert not train & val
    data = load_dataset(path, seed=0, resolution=8)
    assert len(data.val) == len(parts["val"])
    share = len(data.val) / (len(data.val) + len(data.train))
    assert share == pytest.approx(0.1, abs=0.02)
    assert torch.bincount(data.val.labels, minlength=num_classes).min() >= 1


def test_mnist_is_grey(shared: Path) -> None:
    data = load_dataset(str(shared / "data" / "mnist10.zip"), seed=0)
    images = whole(data.val)
    assert (data.resolution, data.image_resolution) == (32, 28)
    assert torch.equal(images[:, 0], images[:, 2])
    assert images.float().mean() < 80
