"""Data in a bucket, read from a real S3 server."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nasoa.config import DataConfig
from nasoa.data import load_dataset
from nasoa.data import object_prefix as module
from nasoa.errors import DataError
from nasoa.store import ArtifactStore, open_store

from .conftest import MakeFolder


class Bucket(NamedTuple):
    """A bucket, and a prefix in it that only one test uses."""

    store: ArtifactStore
    prefix: str

    @property
    def data(self) -> str:
        return f"s3://nasoa/{self.prefix}"


@pytest.fixture
def upload(s3_environment: Any, make_folder: MakeFolder) -> Callable[..., Bucket]:
    def make(counts: dict[str, int]) -> Bucket:
        bucket = Bucket(open_store("s3://nasoa"), uuid.uuid4().hex)
        root = make_folder(counts)
        for file in root.rglob("*.png"):
            key = f"{bucket.prefix}/{file.relative_to(root)}"
            bucket.store.put(key, file.read_bytes())
        return bucket

    return make


def refusal(bucket: Bucket, config: DataConfig | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(bucket.data, seed=0, source_store=bucket.store, config=config)
    return str(caught.value)


def test_an_object_with_the_name_of_a_prefix(
    upload: Callable[..., Bucket], caplog: pytest.LogCaptureFixture
) -> None:
    bucket = upload({"cat": 4, "dog": 4})
    keys = {f"{bucket.prefix}/{name}": 7 for name in ("cat", "cat/0.png", "dog/0.png", "dog/1.png")}
    # The server of the tests stores objects as files, so it refuses such a key.
    assert module._paths(keys, bucket.prefix + "/", "DATA", DataConfig()) == [
        "cat/0.png",
        "dog/0.png",
        "dog/1.png",
    ]
    assert "1 objects left out, which have the name of a folder" in caplog.text
    data = load_dataset(bucket.data, seed=0, source_store=bucket.store)
    assert data.class_names == ("cat", "dog")


def test_more_than_the_limit_is_refused_before_it_is_copied(
    upload: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = upload({"cat": 4, "dog": 4})
    monkeypatch.setattr(type(bucket.store), "download", None)
    told = refusal(bucket, DataConfig(max_archive_bytes=9999))
    assert "unpacks to more than 9999 bytes" in told
    archive = Bucket(bucket.store, bucket.prefix + ".zip")
    bucket.store.put(archive.prefix, bytes(10_000))
    told = refusal(archive, DataConfig(max_archive_bytes=9999))
    assert "has 10000 bytes: expected at most 9999" in told


def test_an_object_that_is_too_large_for_an_image_is_left_out(
    upload: Callable[..., Bucket], caplog: pytest.LogCaptureFixture
) -> None:
    bucket = upload({"cat": 4, "dog": 4})
    bucket.store.put(f"{bucket.prefix}/dog/film.mp4", bytes(100_000))
    config = DataConfig(max_file_bytes=50_000)
    data = load_dataset(bucket.data, seed=0, source_store=bucket.store, config=config)
    assert data.num_skipped == 0
    assert "1 objects left out" in caplog.text


def test_long_names_are_refused_in_one_line(upload: Callable[..., Bucket]) -> None:
    bucket = upload({"cat": 4, "dog": 4})
    sizes = {f"{bucket.prefix}/cat/{'x' * 300}.png": 3, f"{bucket.prefix}/dog/1.png": 3}

    class Store:
        def sizes(self, _prefix: str) -> dict[str, int]:
            return sizes

    told = refusal(Bucket(Store(), bucket.prefix))  # type: ignore[arg-type]
    assert "has a name that is too long for a file: expected at most 200 bytes" in told
    assert len(told) < 400


def test_objects_are_copied_in_pieces(s3_environment: Any, tmp_path: Path) -> None:
    store = open_store("s3://nasoa")
    key = f"{uuid.uuid4().hex}/a"
    content = bytes(range(256)) * 12_000
    store.put(key, content)
    store.download(key, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == content
    assert store.sizes(key.partition("/")[0]) == {key: len(content)}
