"""Zoos in the store: weights match their entries and are written once, whoever writes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import CorruptRecord
from nasoa.records import ZooEntry, to_json
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.zoo_versions import add_version, newest_versions, read_weights
from tests.store.finished import experience

ZOO = "added"


def entry(name: str, accuracy: float = 0.5) -> ZooEntry:
    return replace(experience("t", 0.5).model, name=name, source_accuracy=accuracy)


def add(store: ArtifactStore, name: str, weights: bytes, accuracy: float = 0.5) -> None:
    add_version(store, ZOO, {name: (entry(name, accuracy), weights)})


def held(store: ArtifactStore) -> dict[str, tuple[float, bytes]]:
    """Return accuracy and weights of each model of the newest version."""
    (version,) = newest_versions(store)
    return {e.name: (e.source_accuracy, read_weights(store, version, e)) for e in version.entries}


class Interleaved:
    """A store in which another writer does all its work before one write of this one."""

    def __init__(self, store: ArtifactStore, before: str, other: Callable[[], None]) -> None:
        self._store, self._before, self._other = store, before, other
        self.uri, self.get, self.list = store.uri, store.get, store.list

    def _turn(self, key: str) -> None:
        if self._before in key:
            self._before = "\0"
            self._other()

    def put(self, key: str, data: bytes) -> None:
        self._turn(key)
        self._store.put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._turn(key)
        return self._store.put_if_absent(key, data)


@pytest.mark.parametrize("before", ["weights/", "zoo.json"])
def test_two_writers_never_swap_weights(uri: str, before: str) -> None:
    store = open_store(uri)
    add(store, "old", b"old weights")
    other = Interleaved(store, before, lambda: add(store, "m", b"those of the other", 0.9))
    add(other, "m", b"those of the first", 0.1)
    assert held(store) == {"old": (0.5, b"old weights"), "m": (0.1, b"those of the first")}
    (first, second, third) = [key for key in store.list("zoo/") if key.endswith("zoo.json")]
    (earlier,) = [e for e in json.loads(store.get(second))["entries"] if e["name"] == "m"]
    assert store.get(keys.weights(earlier["weights_sha256"])) == b"those of the other"
    assert (first, third) == (keys.zoo(ZOO, 1), keys.zoo(ZOO, 3))


def test_the_twentieth_model_copies_none_of_the_nineteen_before(uri: str) -> None:
    store = open_store(uri)
    written: list[int] = []

    class Counting(Interleaved):
        def put(self, key: str, data: bytes) -> None:
            written.append(len(data))
            super().put(key, data)

        def put_if_absent(self, key: str, data: bytes) -> bool:
            written.append(len(data))
            return super().put_if_absent(key, data)

    for number in range(19):
        add(store, f"m{number:02d}", bytes([number]) * 50_000)
    add(Counting(store, "\0", lambda: None), "m19", b"x" * 50_000)
    assert sum(written) < 50_000 + 20_000
    assert len([key for key in store.list("zoo/") if "/weights/" in key]) == 20
    assert sorted(held(store)) == [f"m{number:02d}" for number in range(20)]


def test_equal_weights_are_stored_once_and_damaged_ones_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    add(store, "a", b"same weights")
    add(store, "b", b"same weights")
    (key,) = [key for key in store.list("zoo/") if "/weights/" in key]
    store.put(key, b"same weightz")
    with pytest.raises(CorruptRecord, match="the weights of a are not what was added"):
        held(store)
    add(store, "c", b"same weights")
    assert {weights for _, weights in held(store).values()} == {b"same weights"}


def test_every_flipped_bit_of_weights_is_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    weights = bytes(range(256)) * 40
    add(store, "m", weights)
    (key,) = [key for key in store.list("zoo/") if "/weights/" in key]
    for number in range(200):
        bit = number * 8 * len(weights) // 200 + number % 8
        damaged = bytearray(weights)
        damaged[bit // 8] ^= 1 << bit % 8
        store.put(key, bytes(damaged))
        with pytest.raises(CorruptRecord, match=key):
            held(store)
    for cut in (0, 1, len(weights) // 2, len(weights) - 1):
        store.put(key, weights[:cut])
        with pytest.raises(CorruptRecord, match=key):
            held(store)


def put_earlier(store: ArtifactStore, number: int, models: dict[str, bytes]) -> None:
    """Store a version as an earlier release wrote it."""
    folder = f"zoo/{ZOO}/v{number:04d}"
    for name, weights in models.items():
        store.put(f"{folder}/weights/{name}.safetensors", weights)
    documents: list[dict[str, Any]] = [json.loads(to_json(entry(name))) for name in models]
    for document in documents:
        del document["weights_sha256"]
    store.put(f"{folder}/zoo.json", json.dumps(documents).encode())


def test_a_zoo_of_an_earlier_release_is_read_and_gone_on_from(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    put_earlier(store, 1, {"a": b"weights of a", "b": b"weights of b", "lost": b"weights"})
    assert held(store)["a"] == (0.5, b"weights of a")
    store.delete(f"zoo/{ZOO}/v0001/weights/lost.safetensors")
    with caplog.at_level(logging.WARNING):
        add(store, "c", b"weights of c")
    assert "lost is left out" in caplog.text
    assert {name: weights for name, (_, weights) in held(store).items()} == {
        "a": b"weights of a",
        "b": b"weights of b",
        "c": b"weights of c",
    }
    (version,) = newest_versions(store)
    assert all(e.weights_sha256 for e in version.entries)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_list_is_named_and_the_version_before_counts(
    uri: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(uri)
    add(store, "a", b"weights of a")
    add(store, "b", b"weights of b")
    key = keys.zoo(ZOO, 2)
    whole = store.get(key)
    changes = {"cut": whole[:100], "flipped": whole.replace(b'"b"', b'"c"', 1), "empty": b""}
    store.put(key, changes[damage])
    with caplog.at_level(logging.WARNING):
        assert list(held(store)) == ["a"]
    (line,) = caplog.messages
    assert key in line
    # The number of the damaged version is not used again.
    add(store, "c", b"weights of c")
    assert sorted(held(store)) == ["a", "c"]
    assert keys.zoo(ZOO, 3) in store.list("zoo/")


def test_strangers_in_the_zoo_are_left_alone(uri: str) -> None:
    store = open_store(uri)
    add(store, "a", b"weights of a")
    for name in (".DS_Store", f"{ZOO}/.DS_Store", f"{ZOO}/vx/zoo.json", f"{ZOO}/notes/zoo.json"):
        store.put(f"zoo/{name}", b"\0\0\0\1Bud1")
    add(store, "b", b"weights of b")
    assert sorted(held(store)) == ["a", "b"]
