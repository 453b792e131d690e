"""Step 4 of a task: learn from its experience."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from nasoa.records import Experience, TaskResult
from nasoa.steps.learning import update
from nasoa.steps.methods import method_named
from nasoa.steps.task_session import TaskSession
from nasoa.store import experience_log
from nasoa.store.updating import Update
from nasoa.training.clock import WallClock

PREDICTOR_BYTES = 4_200_000  # size of a version
ENDING_S = 0.2  # for writing a version to a fast store, and for the output

logger = logging.getLogger(__name__)


def update_predictor(session: TaskSession, task_id: str) -> TaskResult:
    """Learn every experience that is not learned yet, and return the result of a task.

    Args:
        session: session of the task, or a new one.
        task_id: id of a task that has an experience.

    Raises:
        ObjectNotFound: the task has no experience.
    """
    clock = WallClock(0.0, session.started if not session.has_begun else None)
    return learn_from(session, experience_log.read(session.store, task_id), clock)


def learn_from(session: TaskSession, experience: Experience, clock: WallClock) -> TaskResult:
    """Learn an experience that is already read; see `update_predictor`.

    The model is already saved, so if the store does not answer in time, learning is left to later
    tasks.

    Args:
        session: session of the task, or a new one.
        experience: the experience of the task.
        clock: clock that started with this step.
    """
    task = experience.task
    method = method_named(task.method)
    base = session.base if session.has_begun else None
    is_wall = task.clock == "wall"

    def spent_s() -> float:
        if session.has_begun:
            return session.clock().elapsed_s()
        return experience.elapsed_s + clock.elapsed_s()

    def time_left_s() -> float:
        """Return the seconds of the limit that are left until the version has to be written."""
        left_s = task.time_limit_s - spent_s() if is_wall else math.inf
        return left_s - ENDING_S - session.saving_s(PREDICTOR_BYTES)

    def learn() -> Update:
        return update(session.store, method, base=base, time_left_s=time_left_s)

    latest_s = task.time_limit_s - spent_s()
    done = _within(latest_s, learn) if is_wall else learn()
    after = done.version_after if done else experience.predictor_version
    return TaskResult(
        task_id=task.task_id,
        dataset=task.dataset,
        model=experience.regime.model,
        regime=experience.regime,
        predicted_accuracy=experience.predicted_accuracy,
        accuracy=experience.accuracy,
        head_val_accuracy=experience.curve[0].val_accuracy,
        val_accuracy=experience.val_accuracy,
        elapsed_s=round(spent_s() if is_wall else experience.elapsed_s, 3),
        time_limit_s=task.time_limit_s,
        ended=experience.ended,
        predictor_version_before=experience.predictor_version,
        predictor_version_after=after,
        model_dir=experience.model_dir,
        energy=session.energy(experience.energy) if is_wall else None,
    )


def _within(seconds: float, call: Callable[[], Update]) -> Update | None:
    """Return or raise what a call does; None if it takes too long and is left to end by itself."""
    given: list[Update] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(call())
        except BaseException as error:  # for the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run, name="learning", daemon=True)
    thread.start()
    thread.join(max(seconds, 0.0))
    if raised:
        raise raised[0]
    if not given:
        logger.warning(
            "the time limit ended before the predictor had learned this task; a later task will"
        )
        return None
    return given[0]
