"""Each step of a task in a session of its own, as components run them; and all in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nasoa.online.tuning.job import Listeners
from nasoa.records import Experience, Recommendation, Task, TaskResult
from nasoa.steps import compute_meta_features as describing
from nasoa.steps import finetune as tuning
from nasoa.steps import predict_regime as predicting
from nasoa.steps import run_task as running
from nasoa.steps import update_predictor as updating
from nasoa.steps.methods import DEFAULT, Method, method_named
from nasoa.steps.task_session import TaskSession
from nasoa.store import ArtifactStore, open_store


def compute_meta_features(
    data: str,
    time_limit: str,
    uri: str,
    *,
    clock: str = "wall",
    models: list[str] | None = None,
    method: Method = DEFAULT,
) -> Task:
    session = TaskSession(open_store(uri), clock=clock, models=models or [], method=method)
    return describing.compute_meta_features(session, data, time_limit)


def predict_regime(
    task: Task, uri: str, *, top: int = 5, explore: float = 0.0, models: list[str] | None = None
) -> Recommendation:
    return predicting.predict_regime(session_of(task, uri, models), task, top=top, explore=explore)


def finetune(
    task: Task,
    recommendation: Recommendation,
    uri: str,
    *,
    progress: Callable[[Any], None] | None = None,
) -> Experience:
    listeners = Listeners(progress=progress)
    return tuning.finetune(session_of(task, uri), task, recommendation, listeners=listeners)


def learn_from(task_id: str, uri: str) -> TaskResult:
    return updating.update_predictor(TaskSession(open_store(uri)), task_id)


def run_task(
    data: str,
    time_limit: str | float,
    uri: str,
    *,
    clock: str = "wall",
    method: Method = DEFAULT,
    **options: Any,
) -> TaskResult:
    session = TaskSession(open_store(uri), clock=clock, method=method)
    request = running.Request(data=data, time_limit=time_limit, **options)
    return running.run_task(session, request)


def session_of(task: Task, uri: str, models: list[str] | None = None) -> TaskSession:
    """A session that goes on with a task."""
    return TaskSession(
        open_store(uri), clock=task.clock, method=method_named(task.method), models=models or []
    )


def current_predictor(store: ArtifactStore) -> tuple[Any, int]:
    """The predictor that is in use, and the number of its version."""
    session = TaskSession(store)
    return session.predictor, session.version
