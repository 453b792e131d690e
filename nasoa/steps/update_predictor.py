"""Step 4 of a task: learn from what came of it."""

from __future__ import annotations

import math

from nasoa.records import Experience, TaskResult
from nasoa.steps.learning import update
from nasoa.steps.methods import method_named
from nasoa.steps.task_session import TaskSession
from nasoa.store import experience_log
from nasoa.training.clock import WallClock

PREDICTOR_BYTES = 4_200_000  # of a version
ENDING_S = 0.2  # for writing a version where that takes next to no time, and the answer


def update_predictor(session: TaskSession, task_id: str) -> TaskResult:
    """Learn every experience that is not learned yet, and give the result of a task.

    Args:
        session: of the task, or one of its own.
        task_id: of a task with an experience.

    Raises:
        ObjectNotFound: there is no such experience.
    """
    clock = WallClock(0.0, session.started if not session.has_begun else None)
    return learn_from(session, experience_log.read(session.store, task_id), clock)


def learn_from(session: TaskSession, experience: Experience, clock: WallClock) -> TaskResult:
    """`update_predictor` with an experience at hand; `clock` began with this step."""
    task = experience.task
    base = session.base if session.has_begun else None
    is_wall = task.clock == "wall"

    def time_left_s() -> float:
        """What the limit leaves before the new version has to be written."""
        if not is_wall:
            return math.inf
        left_s = task.time_limit_s - experience.elapsed_s - clock.elapsed_s()
        return left_s - ENDING_S - session.saving_s(PREDICTOR_BYTES)

    done = update(session.store, method_named(task.method), base=base, time_left_s=time_left_s)
    return TaskResult(
        task_id=task.task_id,
        dataset=task.dataset,
        model=experience.regime.model,
        regime=experience.regime,
        predicted_accuracy=experience.predicted_accuracy,
        accuracy=experience.accuracy,
        head_val_accuracy=experience.curve[0].val_accuracy,
        val_accuracy=experience.val_accuracy,
        elapsed_s=round(experience.elapsed_s + (clock.elapsed_s() if is_wall else 0.0), 3),
        time_limit_s=task.time_limit_s,
        ended=experience.ended,
        predictor_version_before=experience.predictor_version,
        predictor_version_after=done.version_after,
        model_dir=experience.model_dir,
    )
