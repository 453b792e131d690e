"""The speed of a store, measured in the background."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from nasoa.errors import StoreUnavailable
from nasoa.steps.out_folder import check_store
from nasoa.steps.store_speed import PROBE_BYTES, StoreSpeed
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store
from nasoa.store.retrying import PatientStore


class Throttled(PatientStore):
    """A store with a latency per request and a limited rate."""

    def __init__(self, folder: Path, latency_s: float, bytes_per_s: float) -> None:
        super().__init__(open_store(str(folder)), 1.0)
        self._latency_s, self._bytes_per_s = latency_s, bytes_per_s

    def put(self, key: str, data: bytes) -> None:
        time.sleep(self._latency_s + len(data) / self._bytes_per_s)
        super().put(key, data)


def measured(speed: StoreSpeed) -> StoreSpeed:
    speed.wait(20)
    return speed


def test_latency_and_rate_are_told_apart(tmp_path: Path) -> None:
    store = Throttled(tmp_path, latency_s=0.1, bytes_per_s=1_000_000)
    speed = measured(StoreSpeed(store))
    assert 0.1 <= speed.seconds(0) < 1.0
    # 5 s; the time that the disk takes is multiplied too.
    assert 3.0 < speed.seconds(5_000_000) < 30.0
    assert store.list() == []


def test_a_folder_is_written_where_it_will_be_and_not_made(tmp_path: Path) -> None:
    speed = measured(StoreSpeed(open_store(str(tmp_path / "not" / "there"))))
    assert 0.0 < speed.seconds(PROBE_BYTES) < 5.0
    assert list(tmp_path.iterdir()) == []


def test_while_it_is_measured_what_has_passed_counts(tmp_path: Path) -> None:
    store = Throttled(tmp_path, latency_s=0.0, bytes_per_s=PROBE_BYTES / 1.5)
    speed = StoreSpeed(store)
    started = time.monotonic()
    time.sleep(1.0)
    so_far_s = speed.seconds(10 * PROBE_BYTES)
    assert 1.0 < so_far_s <= 10 * (time.monotonic() - started)
    assert measured(speed).seconds(10 * PROBE_BYTES) > 12.0


def test_a_store_that_cannot_be_written_is_told_by_whoever_writes(tmp_path: Path) -> None:
    store = open_store("/proc/nasoa")
    assert measured(StoreSpeed(store)).seconds(10**9) == 0.0
    with pytest.raises(StoreUnavailable, match="/proc/nasoa cannot be written"):
        check_store(store)


def test_a_slow_store_leaves_less_time_for_training(tmp_path: Path) -> None:
    session = TaskSession(open_store(str(tmp_path)))
    assert session.saving_s(10**7) == 0.0  # not measured
    session.measure_writing(Throttled(tmp_path, latency_s=0.05, bytes_per_s=2_000_000))
    assert session._speed is not None
    measured(session._speed)
    assert 6.0 < session.saving_s(10**7) < 30.0


def test_on_the_step_clock_nothing_is_measured(tmp_path: Path) -> None:
    before = threading.active_count()
    session = TaskSession(open_store(str(tmp_path)), clock="steps")
    session.measure_writing(Throttled(tmp_path, 10.0, 1.0))
    assert threading.active_count() == before
    assert session.saving_s(10**9) == 0.0
