"""Conformance of stores: the same tests on each backend."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput, ObjectNotFound
from nasoa.store import ArtifactStore, open_store
from nasoa.store.protocol import check_key


@pytest.fixture
def store(uri: str) -> ArtifactStore:
    return open_store(uri)


def test_what_is_put_is_got(store: ArtifactStore) -> None:
    store.put("a/b.json", b"one")
    store.put("a/b.json", b"two")
    assert store.get("a/b.json") == b"two"


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, os.urandom(6_000_000)], ids=len)
def test_any_bytes_come_back(store: ArtifactStore, data: bytes, tmp_path: Path) -> None:
    store.put("k", data)
    assert store.get("k") == data
    assert store.stat("k").size_bytes == len(data)
    assert store.sizes("k") == {"k": len(data)}
    store.download("k", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


def test_put_if_absent_writes_once(store: ArtifactStore) -> None:
    assert store.put_if_absent("k", b"first")
    assert not store.put_if_absent("k", b"second")
    # Equal content does not make it the same write.
    assert not store.put_if_absent("k", b"first")
    assert store.get("k") == b"first"


def test_listing_is_by_prefix_and_sorted(store: ArtifactStore) -> None:
    for key in ("b/2", "a/1", "b/10", "bb/1", "c"):
        store.put(key, b"x")
    assert store.list() == ["a/1", "b/10", "b/2", "bb/1", "c"]
    assert store.list("b/") == ["b/10", "b/2"]
    assert store.list("b") == ["b/10", "b/2", "bb/1"]
    assert store.list("nothing/") == []
    assert store.list(after="b/10") == ["b/2", "bb/1", "c"]
    assert store.list("b/", after="b/1") == ["b/10", "b/2"]
    assert store.list("b/", after="c") == []


def test_what_is_not_there_is_named(store: ArtifactStore, uri: str) -> None:
    for call in (store.get, store.stat):
        with pytest.raises(ObjectNotFound) as error:
            call("zoo/none.json")
        assert "zoo/none.json" in str(error.value)
        assert uri in str(error.value)


def test_delete_is_idempotent(store: ArtifactStore) -> None:
    store.put("a/k", b"x")
    store.delete("a/k")
    store.delete("a/k")
    assert store.list() == []


def test_stat_tells_the_time(store: ArtifactStore) -> None:
    store.put("k", b"abc")
    assert abs(store.stat("k").modified - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "key", ["", "/a", "a//b", "../a", "a/../b", ".", "a\\b", "a\nb", "a/", "k" * 2000]
)
def test_bad_keys_are_refused(store: ArtifactStore, key: str) -> None:
    for call in (store.get, store.stat, store.delete, lambda k: store.put(k, b"")):
        with pytest.raises(InvalidInput):
            call(key)


def race(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(i)` in `count` threads at once, and return the results."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(i: int) -> None:
        barrier.wait()
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.slow
def test_of_sixteen_threads_one_wins(store: ArtifactStore) -> None:
    for turn in range(5):
        key = f"race/{turn}"
        won = race(16, lambda i, key=key: store.put_if_absent(key, f"{i}".encode()))
        assert won.count(True) == 1
        assert store.get(key) == f"{won.index(True)}".encode()


def _win(uri: str, number: int, start: Any, wins: Any) -> None:
    store = open_store(uri)
    start.wait()
    for turn in range(10):
        if store.put_if_absent(f"race/{turn}", f"{number}".encode()):
            wins.put((turn, number))


@pytest.mark.slow
def test_of_four_processes_one_wins(uri: str) -> None:
    context = multiprocessing.get_context("spawn")
    start, wins = context.Event(), context.Queue()
    processes = [context.Process(target=_win, args=(uri, i, start, wins)) for i in range(4)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    won = dict(wins.get() for _ in range(10))
    assert wins.empty()
    store = open_store(uri)
    assert {turn: store.get(f"race/{turn}") for turn in range(10)} == {
        turn: f"{number}".encode() for turn, number in won.items()
    }


def _write_for_ever(uri: str) -> None:
    store = open_store(uri)
    for turn in range(10**9):
        store.put(f"big/{turn % 3}", bytes([turn % 256]) * 3_000_000)


def test_a_killed_writer_leaves_no_torn_object(uri: str) -> None:
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_write_for_ever, args=(uri,))
    writer.start()
    store = open_store(uri)
    until = time.monotonic() + 30
    while len(store.list("big/")) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    found = store.list("big/")
    assert found
    for key in found:
        content = store.get(key)
        assert len(content) == 3_000_000
        assert len(set(content)) == 1


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_a_key_never_leaves_the_store(key: str) -> None:
    try:
        check_key(key)
    except InvalidInput:
        return
    base = Path("/base/store")
    inside = Path(os.path.normpath(base / key))
    assert inside != base
    assert inside.is_relative_to(base)
