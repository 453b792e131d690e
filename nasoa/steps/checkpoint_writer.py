"""Write the checkpoints of a task in the background.

Training does not wait for a write, and a failed write does not stop it.
"""

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
from nasoa.store import ArtifactStore, keys, listing
from nasoa.training.checkpoint import RunState, to_bytes

# Slower writes are reported, because a killed task loses at least that much work.
SLOW_S = 10.0
PAUSES = 25.0  # shortest interval between the starts of two writes, in durations of the last one

logger = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes the training states of a task in a thread, and deletes earlier ones.

    A state is skipped while another is being written, too soon after the last write, or where
    `may_write` returns False.

    Args:
        store: where checkpoints are written.
        task: the task that they belong to.
        may_write: whether there is time to write the given number of bytes before the model has to
            be saved.
        slow_s: duration in seconds above which a write is reported as slow.
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
        """Start writing a state in the background, or skip it.

        Args:
            state: the training state; `average` and `curve` are copied, because training changes
                them in place.
        """
        if self._thread is not None and self._thread.is_alive():
            waited_s = time.monotonic() - self._began_s
            if waited_s > self._slow_s:
                self._warn(f"is still being written after {waited_s:.0f} s")
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
        """Stop writing, and delete all checkpoints of the task.

        One that is still being written is deleted as soon as the write ends.

        Args:
            most_s: longest time in seconds to wait for a write in progress.
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
        except Exception as error:  # no error here may stop the training
            self._warn(f"cannot be written: {error}")
            return
        self._took_s = time.monotonic() - self._began_s
        if self._took_s > self._slow_s:
            self._warn(f"took {self._took_s:.0f} s to write")

    def _remove(self, before: int | None = None) -> None:
        """Delete the task's checkpoints before an iteration, or all of them."""
        prefix = keys.checkpoints(self._task.task_id)
        for iteration in listing.numbers(self._store, prefix, ".safetensors"):
            if before is None or iteration < before:
                self._store.delete(keys.checkpoint(self._task.task_id, iteration))

    def _warn(self, what: str) -> None:
        """Warn at most once per task."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "a checkpoint of task %s %s; training continues, but --resume may have to start "
                "from an earlier one",
                self._task.task_id,
                what,
            )


def _num_bytes(state: RunState) -> int:
    groups = (state.network, state.momentum, state.average, state.best)
    return sum(value.nbytes for group in groups for value in group.values())
