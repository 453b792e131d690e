"""Claims: one holder at a time, the next when it is done or dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from nasoa.store import ArtifactStore, open_store
from nasoa.store.claims import claim

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
