"""A long log is learned as far as time allows; nothing is lost and nothing is learned twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.errors import StoreFailed
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import CurvePoint, Experience
from nasoa.steps import learning
from nasoa.steps.task_session import TaskSession
from nasoa.steps.update_predictor import learn_from
from nasoa.store import ArtifactStore, compaction, experience_log, open_store, snapshots
from nasoa.store.version_info import SnapshotInfo
from nasoa.training.clock import WallClock
from tests.store.finished import experience

PENDING = 24


def pending(store: ArtifactStore, count: int = PENDING) -> list[str]:
    """Finished fine-tunes that no version has learned, by time."""
    names = [f"t{number:04d}" for number in range(count)]
    for number, name in enumerate(names):
        finished = experience(name, 0.5 + 0.01 * (number % 40))
        created = f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00"
        experience_log.append(store, replace(finished, created_at=created))
    return names


def newest(store: ArtifactStore) -> SnapshotInfo:
    number = max(snapshots.versions(store, PREDICTOR_NAME))
    return snapshots.load(store, PREDICTOR_NAME, number).info


class Countdown:
    """A budget from which each learned experience takes a second; reading takes none."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def __call__(self) -> float:
        return self.left_s

    def learns(self, monkeypatch: pytest.MonkeyPatch) -> Countdown:
        from nasoa.online.predictor.experience_predictor import ExperiencePredictor

        learn: Callable[..., None] = ExperiencePredictor.learn

        def timed(predictor: ExperiencePredictor, experiences: list[Experience]) -> None:
            learn(predictor, experiences)
            self.left_s -= 1.0

        monkeypatch.setattr(ExperiencePredictor, "learn", timed)
        return self


@pytest.mark.parametrize("block_size", [0, 5], ids=["loose", "packed"])
def test_the_oldest_are_learned_first_and_the_rest_later(
    tmp_path: Path,
    block_size: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store(str(tmp_path))
    names = pending(store)
    if block_size:
        assert compaction.compact(store, block_size).blocks == 4
    with caplog.at_level(logging.WARNING):
        done = learning.update(store, time_left_s=Countdown(7.5).learns(monkeypatch))
    assert done.learned == tuple(names[:7])
    assert "the time is over: only 7 of the new experiences were learned" in caplog.text
    assert newest(store).blocks == ((1,) if block_size else ())
    second = learning.update(store, time_left_s=Countdown(4.5).learns(monkeypatch))
    assert second.learned == tuple(names[7:11])
    last = learning.update(store)
    assert last.learned == tuple(names[11:])
    assert newest(store).learned == tuple(names)
    assert newest(store).record.num_errors == PENDING


def test_without_time_nothing_is_written(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    pending(store, 2)
    before = store.list()
    done = learning.update(store, time_left_s=lambda: 0.0)
    assert (done.version_before, done.version_after, done.learned) == (1, 1, ())
    assert store.list() == before
    assert learning.update(store).version_after == 2
    again = learning.update(store, time_left_s=lambda: -1.0)
    assert (again.version_before, again.version_after) == (2, 2)


def test_reading_takes_half_of_the_time_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasoa.store.updating.READ_AT_ONCE", 4)
    store = open_store(str(tmp_path))
    names = pending(store)
    countdown = Countdown(4.0).learns(monkeypatch)
    read = experience_log.read_loose

    def slow(own: ArtifactStore, wanted: list[str]) -> list[Experience]:
        countdown.left_s -= 0.9
        return read(own, wanted)

    monkeypatch.setattr(experience_log, "read_loose", slow)
    done = learning.update(store, time_left_s=countdown)
    # Three times four in 2.7 s, and as many as the rest of the time allows.
    assert done.learned == tuple(names[:1])
    assert countdown.left_s > 0.0


def test_a_task_ends_in_time_beside_a_long_log(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    pending(store, 1000)
    finished = experience("t9999", 0.7)
    limit_s = finished.task.time_limit_s
    point = CurvePoint(iteration=0, elapsed_s=1.0, train_loss=0.0, val_accuracy=0.6)
    finished = replace(finished, elapsed_s=limit_s - 1.5, curve=(point,))
    experience_log.append(store, finished)
    session = TaskSession(store)
    started = time.monotonic()
    result = learn_from(session, finished, WallClock())
    assert time.monotonic() - started < 2.0
    assert result.elapsed_s < limit_s + 0.5
    assert len(newest(store).learned) < 1001


def test_a_store_that_does_not_answer_leaves_learning_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The model is already saved, so the task succeeds."""
    store = open_store(str(tmp_path))
    finished = experience("t9999", 0.7)
    point = CurvePoint(iteration=0, elapsed_s=1.0, train_loss=0.0, val_accuracy=0.6)
    limit_s = finished.task.time_limit_s
    finished = replace(finished, elapsed_s=limit_s - 1.0, curve=(point,))
    experience_log.append(store, finished)
    go_on = threading.Event()
    monkeypatch.setattr(snapshots, "save", lambda *_: go_on.wait(20))
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        result = learn_from(TaskSession(store), finished, WallClock())
    assert time.monotonic() - started < 1.5
    assert result.predictor_version_after == result.predictor_version_before
    assert "a later task will" in caplog.text
    go_on.set()


def test_what_learning_raises_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    finished = replace(experience("t9999", 0.7), elapsed_s=1.0)
    experience_log.append(store, finished)

    def fail(*_arguments: object) -> None:
        raise StoreFailed("busy")

    monkeypatch.setattr(snapshots, "save", fail)
    with pytest.raises(StoreFailed, match="busy"):
        learn_from(TaskSession(store), finished, WallClock())
