"""Claims: one holder at a time, and the next one when it is done or dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.store import ArtifactStore, open_store
from nasoa.store.claims import claim, only_holder

PREFIX = "claims/work/"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path))


def _hold_for_ever(uri: str, held: object) -> None:
    with claim(open_store(uri), PREFIX, lambda: False, beat_s=0.1):
        held.set()  # type: ignore[attr-defined]
        time.sleep(600)


def test_of_many_one_works_and_the_others_wait_for_it(store: ArtifactStore) -> None:
    worked: list[int] = []

    def work(number: int) -> None:
        with claim(store, PREFIX, lambda: bool(worked), beat_s=0.1) as is_mine:
            if is_mine:
                time.sleep(0.5)
                worked.append(number)
        assert worked

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worked) == 1
    assert store.list(PREFIX) == []


def test_work_that_is_done_is_not_claimed(store: ArtifactStore) -> None:
    with claim(store, PREFIX, lambda: True) as is_mine:
        assert not is_mine
    assert store.list(PREFIX) == []


def test_the_claim_of_a_killed_process_dies_and_that_of_a_living_one_does_not(
    store: ArtifactStore, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold_for_ever, args=(str(tmp_path), held), daemon=True)
    holder.start()
    assert held.wait(20)
    taken: list[float] = []

    def wait() -> None:
        with claim(store, PREFIX, lambda: False, beat_s=0.1, dead_after_s=1.5) as is_mine:
            assert is_mine
            taken.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(3.0)
    assert not taken
    killed_at = time.monotonic()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    waiting.join(20)
    assert taken
    assert taken[0] - killed_at > 1.0


def test_a_claim_is_given_back_when_the_work_fails(store: ArtifactStore) -> None:
    def work() -> None:
        with claim(store, PREFIX, lambda: False) as is_mine:
            assert is_mine
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert store.list(PREFIX) == []


def _mark_of(store: ArtifactStore) -> list[str]:
    (key,) = store.list(PREFIX)
    return store.get(key).decode().split()


def test_a_second_worker_is_told_who_is_at_work(store: ArtifactStore) -> None:
    with only_holder(store, PREFIX, "task t1"):
        started = time.monotonic()
        with (
            pytest.raises(InvalidInput, match=rf"task t1 .* by process {os.getpid()} on"),
            only_holder(store, PREFIX, "task t1"),
        ):
            pass
        assert time.monotonic() - started < 1
    assert store.list(PREFIX) == []
    with only_holder(store, PREFIX, "task t1"):
        pass


def _hold_alone(uri: str, held: object) -> None:
    with only_holder(open_store(uri), PREFIX, "task t1", beat_s=0.1):
        held.set()  # type: ignore[attr-defined]
        time.sleep(600)


def test_what_a_killed_process_held_is_taken_over_at_once(
    store: ArtifactStore, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold_alone, args=(str(tmp_path), held), daemon=True)
    holder.start()
    assert held.wait(20)
    with (
        pytest.raises(InvalidInput, match=f"process {holder.pid}"),
        only_holder(store, PREFIX, "t"),
    ):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    # It stays a zombie, which counts as dead, until it is waited for without WNOWAIT.
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    started = time.monotonic()
    with only_holder(store, PREFIX, "t"):
        assert time.monotonic() - started < 1
    holder.join()
    assert store.list(PREFIX) == []


def test_the_holder_on_another_machine_is_watched(store: ArtifactStore) -> None:
    with only_holder(store, PREFIX, "t"):
        mark = _mark_of(store)
    dead = " ".join(["far|boot|pid:[1]", *mark[1:]])
    store.put(f"{PREFIX}000004", dead.encode())
    started = time.monotonic()
    with only_holder(store, PREFIX, "t", beat_s=0.1, dead_after_s=0.5):
        assert 0.5 < time.monotonic() - started < 5
        assert store.list(PREFIX)[-1] == f"{PREFIX}000005"
    assert store.list(PREFIX) == []

    stop = threading.Event()

    def beat() -> None:
        turn = 0
        while not stop.wait(0.05):
            turn += 1
            store.put(f"{PREFIX}000004", f"{dead}{turn}".encode())

    beats = threading.Thread(target=beat)
    store.put(f"{PREFIX}000004", dead.encode())
    beats.start()
    try:
        with (
            pytest.raises(InvalidInput, match=f"by process {mark[1]} on far"),
            only_holder(store, PREFIX, "t", dead_after_s=5),
        ):
            pass
    finally:
        stop.set()
        beats.join()


def test_of_many_at_once_one_works(store: ArtifactStore) -> None:
    worked: list[int] = []
    refused: list[int] = []
    barrier = threading.Barrier(8)
    over = threading.Event()

    def work(number: int) -> None:
        barrier.wait()
        try:
            with only_holder(store, PREFIX, "t", beat_s=0.1):
                worked.append(number)
                over.wait(20)
        except InvalidInput:
            refused.append(number)
            if len(refused) == 7:
                over.set()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(worked), len(refused)) == (1, 7)
    assert store.list(PREFIX) == []


def test_a_holder_that_stood_still_learns_that_it_was_taken_for_dead(store: ArtifactStore) -> None:
    with only_holder(store, PREFIX, "task t1", beat_s=60) as check:
        check()
        store.put_if_absent(f"{PREFIX}000002", b"another")
        with pytest.raises(InvalidInput, match="task t1 was taken over"):
            check()
    # The other holder's claim stays.
    assert store.list(PREFIX) == [f"{PREFIX}000002"]
