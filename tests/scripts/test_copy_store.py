"""Backup and restore of a store on a real S3 server."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from nasoa.store import open_store
from scripts.copy_store import copy

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "copy_store.py"
OBJECTS = {
    "experience/a.json": b"{}",
    "model/a/model.safetensors": bytes(range(256)) * 100,
    "predictor/p/v000001.safetensors": b"1",
    "zoo/z/v0001/zoo.json": b"[]",
}


def run(source: object, target: object, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(source), str(target), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_store_comes_back_from_its_copy(s3_environment: Any, tmp_path: Path) -> None:
    uri = f"s3://nasoa/{uuid.uuid4().hex}"
    store = open_store(uri)
    for key, content in OBJECTS.items():
        store.put(key, content)
    copied = run(uri, tmp_path / "backup")
    assert copied.returncode == 0, copied.stderr
    assert copied.stdout.startswith("4 objects written")
    for key in OBJECTS:
        store.delete(key)
    store.put("experience/a.json", b"cut o")
    restored = run(tmp_path / "backup", uri)
    assert restored.returncode == 0, restored.stderr
    assert {key: store.get(key) for key in store.list()} == OBJECTS


def test_a_part_of_a_store_goes_to_a_tenant(tmp_path: Path) -> None:
    """A zoo for somebody who is to see nothing else."""
    store = open_store(str(tmp_path / "store"))
    for key, content in OBJECTS.items():
        store.put(key, content)
    for only, code in (("zoo/", 0), ("search/", 2)):
        done = run(tmp_path / "store", tmp_path / "alice", "--only", only)
        assert done.returncode == code
    assert f"expected objects in {tmp_path}/store/search/" in done.stderr
    assert open_store(str(tmp_path / "alice")).list() == ["zoo/z/v0001/zoo.json"]


def test_a_second_copy_brings_what_is_new(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    store.put("experience/a.json", b"{}")
    assert run(tmp_path / "store", tmp_path / "backup").returncode == 0
    store.put("experience/b.json", b"{}")
    again = run(tmp_path / "store", tmp_path / "backup")
    assert again.stdout.startswith("1 objects written (0.0 MB) of 2")
    assert open_store(str(tmp_path / "backup")).list() == store.list()


def test_what_is_packed_meanwhile_is_copied(tmp_path: Path) -> None:
    """An object that disappears after the listing is found in another listing."""
    source, target = open_store(str(tmp_path / "store")), open_store(str(tmp_path / "backup"))
    source.put("experience/a.json", b"{}")
    listings = iter([["experience/a.json"], ["experience/block/000001.jsonl.gz"]])

    class Packing:
        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        def list(self, prefix: str) -> list[str]:
            found = next(listings)
            if source.list() == found:
                source.put("experience/block/000001.jsonl.gz", b"packed")
                source.delete("experience/a.json")
            return found

    done = copy(Packing(), target)  # type: ignore[arg-type]
    assert (done.written, done.total) == (1, 1)
    assert target.list() == ["experience/block/000001.jsonl.gz"]


@pytest.mark.parametrize("source", ["nowhere", "s3://"])
def test_bad_input(tmp_path: Path, source: str) -> None:
    done = run(source if "://" in source else tmp_path / source, tmp_path / "backup")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
