"""Checkpoints are written beside the training, which neither waits for them nor fails with them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from nasoa.errors import NasoaError
from nasoa.records import Task
from nasoa.seal import seal_tensors
from nasoa.store import ArtifactStore, keys, listed
from nasoa.training.checkpoint import RunState, to_bytes

# A write that takes longer is worth a warning: a task that is killed would lose as much work.
SLOW_S = 10.0
PAUSES = 25.0  # times as long as the last write took, between the beginnings of two

logger = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes the states of a task in a thread, one at a time, and drops those before.

    A state that comes while another is being written is passed over.

    Args:
        store: where.
        task: whose.
        may_write: whether so many bytes can be written before the model has to be.
        slow_s: seconds after which a warning tells that a write takes long.
    """

    def __init__(
        self,
        store: ArtifactStore,
        task: Task,
        may_write: Callable[[int], bool] = lambda num_bytes: True,
        slow_s: float = SLOW_S,
    ) -> None:
        self._store = store
        self._task = task
        self._may_write = may_write
        self._slow_s = slow_s
        self._began_s = 0.0
        self._took_s = 0.0
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()
        self._has_warned = False

    def save(self, state: RunState) -> None:
        """Begin to write a state, unless an earlier one is still being written.

        Args:
            state: `average` and `curve` are copied, as training changes them in place.
        """
        if self._thread is not None and self._thread.is_alive():
            waited_s = time.monotonic() - self._began_s
            if waited_s > self._slow_s:
                self._warn(f"has been written for {waited_s:.0f} s")
            return
        is_too_soon = time.monotonic() - self._began_s < PAUSES * self._took_s
        if is_too_soon or not self._may_write(_num_bytes(state)):
            return
        average = {name: value.clone() for name, value in state.average.items()}
        copied = replace(state, average=average, curve=list(state.curve))
        self._began_s = time.monotonic()
        self._thread = threading.Thread(
            target=self._write, args=(copied,), name="checkpoint", daemon=True
        )
        self._thread.start()

    def close(self, most_s: float = 0.0) -> None:
        """End: every checkpoint is removed, one that is still being written as soon as it is.

        Args:
            most_s: seconds that this may wait for the one that is being written.
        """
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join(max(most_s, 0.0))
        with suppress(NasoaError):
            self._remove()

    def _write(self, state: RunState) -> None:
        key = keys.checkpoint(self._task.task_id, state.iteration)
        try:
            self._store.put(key, seal_tensors(to_bytes(state)))
            self._remove(None if self._is_closed.is_set() else state.iteration)
        except Exception as error:  # whatever it is, training goes on
            self._warn(f"cannot be written: {error}")
            return
        self._took_s = time.monotonic() - self._began_s
        if self._took_s > self._slow_s:
            self._warn(f"took {self._took_s:.0f} s to write")

    def _remove(self, before: int | None = None) -> None:
        """Remove the task's checkpoints before an iteration, or all of them."""
        prefix = keys.checkpoints(self._task.task_id)
        for iteration in listed.numbers(self._store, prefix, ".safetensors"):
            if before is None or iteration < before:
                self._store.delete(keys.checkpoint(self._task.task_id, iteration))

    def _warn(self, what: str) -> None:
        """Warn once a task."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "a checkpoint of task %s %s; training goes on, but --resume may have to begin "
                "further back",
                self._task.task_id,
                what,
            )


def _num_bytes(state: RunState) -> int:
    groups = (state.network, state.momentum, state.average, state.best)
    return sum(value.nbytes for group in groups for value in group.values())
