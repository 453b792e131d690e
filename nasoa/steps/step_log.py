"""What operators see of a task: its steps in the log, and its outcome in the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nasoa
from nasoa.errors import NasoaError
from nasoa.logs import log_event, log_fields
from nasoa.records import Outcome, Task, to_json
from nasoa.steps.naming import utc_now
from nasoa.store import ArtifactStore, counters, keys

if TYPE_CHECKING:
    from nasoa.training.run import Progress

PROGRESS_EVERY_S = 5.0

logger = logging.getLogger(__name__)


def reason_of(error: BaseException) -> str:
    """Return why something failed as a single word, so that failures can be counted by it."""
    return "interrupted" if not isinstance(error, Exception) else type(error).__name__


@dataclass
class StepLog:
    """Logs start, end, duration and failure of each step of a task in this process."""

    durations_s: dict[str, float] = field(default_factory=dict)
    _retries: int = field(default_factory=lambda: counters.count(counters.RETRIES))

    @contextmanager
    def step(self, name: str, task_id: str = "") -> Iterator[None]:
        """Log a step; all records logged inside the block carry the step and the task.

        Args:
            name: name of the step, a verb.
            task_id: id of the task, once it has one.
        """
        named = {"step": name, **({"task_id": task_id} if task_id else {})}
        began_s = time.monotonic()
        with log_fields(**named):
            log_event(logger, "step_began", f"{name} began")
            try:
                yield
            except BaseException as error:
                took_s = self._took_s(name, began_s)
                log_event(
                    logger,
                    "step_failed",
                    f"{name} failed after {took_s} s: {error or reason_of(error)}",
                    duration_s=took_s,
                    reason=reason_of(error),
                )
                raise
            took_s = self._took_s(name, began_s)
            log_event(logger, "step_ended", f"{name} ended in {took_s} s", duration_s=took_s)

    def outcome(self, task: Task, elapsed_s: float, reason: str = "") -> Outcome:
        """Return the outcome of the task so far; `reason` is why it failed, if it did."""
        return Outcome(
            task_id=task.task_id,
            reason=reason,
            elapsed_s=round(elapsed_s, 3),
            time_limit_s=task.time_limit_s,
            durations_s=dict(self.durations_s),
            store_retries=counters.count(counters.RETRIES) - self._retries,
            created_at=utc_now(),
            code_version=nasoa.__version__,
        )

    def _took_s(self, name: str, began_s: float) -> float:
        took_s = round(time.monotonic() - began_s, 3)
        self.durations_s[name] = took_s
        return took_s


def record_outcome(store: ArtifactStore, outcome: Outcome) -> None:
    """Store an outcome; errors of the store are ignored, as outcomes are only for operators."""
    with suppress(NasoaError):
        store.put(keys.outcome(outcome.task_id), to_json(outcome))


def logged_progress(then: Callable[[Progress], None] | None = None) -> Callable[[Progress], None]:
    """Return a callback that logs progress every `PROGRESS_EVERY_S` and always calls `then`."""
    logged_s = -PROGRESS_EVERY_S

    def report(progress: Progress) -> None:
        nonlocal logged_s
        if then is not None:
            then(progress)
        if progress.elapsed_s - logged_s < PROGRESS_EVERY_S:
            return
        logged_s = progress.elapsed_s
        share = min(progress.elapsed_s / progress.limit_s, 1.0)
        log_event(
            logger,
            "progress",
            f"{progress.elapsed_s:.1f} of {progress.limit_s:.1f} s, "
            f"{progress.iteration} of about {progress.planned_iterations} iterations, "
            f"accuracy {progress.val_accuracy:.3f}",
            progress=round(share, 4),
            elapsed_s=round(progress.elapsed_s, 3),
            iteration=progress.iteration,
            planned_iterations=progress.planned_iterations,
            val_accuracy=round(progress.val_accuracy, 4),
        )

    return report
