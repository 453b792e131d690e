"""Run all four steps of a task in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from nasoa.duration import parse_duration
from nasoa.errors import AlreadyClaimed, InvalidInput, NasoaError
from nasoa.online.choice.exploration import check_cost
from nasoa.online.tuning.finetune import NOBODY
from nasoa.online.tuning.job import Listeners
from nasoa.records import Recommendation, Task, TaskResult
from nasoa.steps.compute_meta_features import compute_meta_features, read_unchanged
from nasoa.steps.finetune import finetune, spent_s
from nasoa.steps.out_folder import check_out, check_store
from nasoa.steps.predict_regime import predict_regime
from nasoa.steps.reading import read_record
from nasoa.steps.step_log import StepLog, logged_progress, reason_of, record_outcome
from nasoa.steps.task_session import TaskSession
from nasoa.steps.update_predictor import learn_from
from nasoa.store import experience_log, keys, open_store
from nasoa.store.protocol import NAME
from nasoa.training.clock import WallClock


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user requests; the fields are arguments of the steps.

    `resume`: continue the newest unfinished task of the same data, limit, seed, clock and method.
    """

    data: str
    time_limit: str | float
    seed: int = 0
    explore: float = 0.0
    out: str = ""
    resume: bool = False


def run_task(
    session: TaskSession,
    request: Request,
    listeners: Listeners = NOBODY,
) -> TaskResult:
    """Describe the task, choose a regime, fine-tune and learn.

    Args:
        session: session of the task.
        request: what to do.
        listeners: callbacks during the fine-tune.

    Raises:
        InvalidInput: a step cannot use its input, or there is no task to resume.
    """
    log = StepLog()
    check_cost(request.explore)
    limit_s = parse_duration(request.time_limit)
    check_out(request.out)
    check_store(session.store)
    if request.resume:
        task, recommendation = _unfinished(session, request, limit_s)
        session.clock(spent_s(session.store, task, recommendation))
        limit = session.reading_limit(request.data, limit_s)
        session.dataset = read_unchanged(task, limit)
    else:
        with log.step("describe"):
            task = compute_meta_features(session, request.data, limit_s, seed=request.seed)
        session.measure_writing(open_store(request.out) if request.out else session.store)
        with log.step("choose", task.task_id):
            recommendation = predict_regime(session, task, explore=request.explore)
    with _resumable(session, task, log), log.step("finetune", task.task_id):
        experience = finetune(
            session,
            task,
            recommendation,
            out=request.out,
            listeners=replace(listeners, progress=logged_progress(listeners.progress)),
        )
    learning = WallClock()
    record_outcome(session.store, log.outcome(task, experience.elapsed_s))
    with log.step("learn", task.task_id):
        return learn_from(session, experience, learning)


@contextmanager
def _resumable(session: TaskSession, task: Task, log: StepLog) -> Iterator[None]:
    """If the block fails, record the outcome, and note on the error how to resume the task."""
    store = session.store
    try:
        yield
    except AlreadyClaimed:
        raise  # the process that works on the task records its outcome
    except BaseException as error:
        with suppress(NasoaError):  # an error of the store must not replace the first error
            if keys.task(task.task_id) in store.list(keys.task(task.task_id)):
                elapsed_s = session.clock().elapsed_s()
                record_outcome(store, log.outcome(task, elapsed_s, reason_of(error)))
                error.add_note("the same command with --resume continues the task")
        raise


def _unfinished(
    session: TaskSession, request: Request, limit_s: float
) -> tuple[Task, Recommendation]:
    """Return the newest task of this request that has no experience, and its recommendation."""
    store = session.store
    asked = (request.data, limit_s, request.seed, session.clock_name, session.method.name)
    done = set(experience_log.task_ids(store))
    begun = [key.split("/")[1] for key in store.list(keys.TASKS) if key.endswith("/task.json")]
    for task_id in reversed(begun):
        if task_id in done or not NAME.fullmatch(task_id):
            continue
        task = read_record(store, keys.task(task_id), Task)
        if not task or asked != (task.data, task.time_limit_s, task.seed, task.clock, task.method):
            continue
        recommendation = read_record(store, keys.recommendation(task_id), Recommendation)
        if recommendation is not None:
            return task, recommendation
    raise InvalidInput(
        f"expected an unfinished task of {request.data} with this limit, seed, clock and method in "
        f"{store.uri}, but there is none; leave out --resume"
    )
