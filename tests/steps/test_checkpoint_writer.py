"""Checkpoints in the background: slow or failed writes neither delay nor stop the training."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from nasoa.errors import StoreUnavailable
from nasoa.records import CurvePoint
from nasoa.steps.checkpoint_writer import CheckpointWriter
from nasoa.store import keys, open_store
from nasoa.store.local import LocalStore
from nasoa.training.checkpoint import RunState, from_bytes


class FakeTask:
    task_id = "20260101T000000000000-digits-abcdef"


TASK: Any = FakeTask()
PREFIX = keys.checkpoints(TASK.task_id)


def state(iteration: int) -> RunState:
    weights = {"w": torch.full((4,), float(iteration))}
    return RunState(
        iteration=iteration,
        curve=[CurvePoint(iteration=0, elapsed_s=0.1, train_loss=0.0, val_accuracy=0.5)],
        network=weights,
        average={"w": torch.full((4,), float(iteration))},
        best={"w": torch.ones(4)},
    )


class HeldStore(LocalStore):
    """A store that blocks writes until they are released."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.go_on = threading.Event()
        self.writes = 0

    def put(self, key: str, data: bytes) -> None:
        self.writes += 1
        assert self.go_on.wait(20)
        super().put(key, data)


def finish(writer: CheckpointWriter) -> None:
    assert writer._thread is not None
    writer._thread.join(20)


def test_training_does_not_wait_and_changes_nothing_that_is_being_written(tmp_path: Path) -> None:
    store = HeldStore(tmp_path)
    writer = CheckpointWriter(store, TASK)
    saved = state(7)
    started = time.monotonic()
    writer.save(saved)
    writer.save(state(8))  # skipped: one at a time
    assert time.monotonic() - started < 1
    saved.average["w"].zero_()
    saved.curve.clear()
    store.go_on.set()
    finish(writer)
    assert store.writes == 1
    (key,) = store.list(PREFIX)
    read = from_bytes(store.get(key), key)
    assert read.iteration == 7
    assert read.average["w"].tolist() == [7.0] * 4
    assert len(read.curve) == 1


def test_the_newest_alone_is_kept_and_none_in_the_end(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    writer = CheckpointWriter(store, TASK)
    for iteration in (1, 2, 3):
        writer._took_s = 0.0
        writer.save(state(iteration))
        finish(writer)
    assert store.list(PREFIX) == [keys.checkpoint(TASK.task_id, 3)]
    writer.close()
    assert store.list(PREFIX) == []


def test_one_that_ends_after_the_task_is_removed_by_itself(tmp_path: Path) -> None:
    store = HeldStore(tmp_path)
    writer = CheckpointWriter(store, TASK)
    writer.save(state(1))
    started = time.monotonic()
    writer.close()
    assert time.monotonic() - started < 1
    store.go_on.set()
    finish(writer)
    assert store.list(PREFIX) == []


def test_a_store_that_fails_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: LocalStore, key: str, data: bytes) -> None:
        raise StoreUnavailable("the store cannot be written: No space left on device")

    monkeypatch.setattr(LocalStore, "put", fail)
    writer = CheckpointWriter(open_store(str(tmp_path)), TASK)
    with caplog.at_level(logging.WARNING):
        for iteration in (1, 2):
            writer._took_s = 0.0
            writer.save(state(iteration))
            finish(writer)
        writer.close()
    (record,) = caplog.records  # once per task
    assert "No space left on device; training continues" in record.getMessage()
    assert TASK.task_id in record.getMessage()


def test_a_store_that_is_slow_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = HeldStore(tmp_path)
    writer = CheckpointWriter(store, TASK, slow_s=0.05)
    with caplog.at_level(logging.WARNING):
        writer.save(state(1))
        time.sleep(0.1)
        writer.save(state(2))
        store.go_on.set()
        finish(writer)
    (record,) = caplog.records
    assert "is still being written after" in record.getMessage()


def test_what_cannot_be_written_before_the_model_is_not_begun(tmp_path: Path) -> None:
    asked: list[int] = []

    def may_write(num_bytes: int) -> bool:
        asked.append(num_bytes)
        return False

    writer = CheckpointWriter(open_store(str(tmp_path)), TASK, may_write)
    writer.save(state(1))
    assert asked == [3 * 4 * 4]
    assert open_store(str(tmp_path)).list() == []


def test_writing_takes_a_fraction_of_the_time(tmp_path: Path) -> None:
    """After a write that took a second, the next one starts half a minute later."""
    store = open_store(str(tmp_path))
    writer = CheckpointWriter(store, TASK)
    writer.save(state(1))
    finish(writer)
    writer._took_s = 1.0
    writer.save(state(2))
    finish(writer)
    assert store.list(PREFIX) == [keys.checkpoint(TASK.task_id, 1)]
