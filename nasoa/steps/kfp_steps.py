"""The steps of a task, as their components call them: JSON in and out, pages for the UI.

Each component is a separate process, so its time counts from the start of that process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nasoa.logs import log_in_pod
from nasoa.records import Recommendation, Task, from_json, to_json
from nasoa.report.task_page import meta_features_markdown, regime_markdown, task_page
from nasoa.steps import decoded_artifact, lineage
from nasoa.steps import predict_regime as predicting
from nasoa.steps import update_predictor as updating
from nasoa.steps.lineage import Artifact
from nasoa.steps.methods import method_named
from nasoa.steps.quick_end import end_quickly
from nasoa.steps.step_log import StepLog, logged_progress, record_outcome
from nasoa.steps.task_session import TaskSession
from nasoa.steps.termination import exit_on_sigterm
from nasoa.store import experience_log, open_store
from nasoa.training.clock import process_start


@dataclass(frozen=True)
class TaskForm:
    """A task, as the parameters of its component describe it.

    Args:
        data: DATA of the task.
        time_limit: time limit, like 45s or 10m.
        seed: random seed for splits and training.
        clock: "wall" or "steps".
        method: how the regime is chosen, "default" or "paper".
    """

    data: str
    time_limit: str
    seed: int
    clock: str
    method: str


def compute_meta_features(store: str, form: TaskForm, summary_path: str, decoded: Artifact) -> str:
    """Step 1: write a Markdown summary and the decoded images, and return the task as JSON."""
    with _step("describe"):
        session = TaskSession(
            open_store(store),
            clock=form.clock,
            started=process_start(),
            method=method_named(form.method),
        )
        from nasoa.steps import compute_meta_features as describing  # noqa: PLC0415  (torch)

        task = describing.compute_meta_features(session, form.data, form.time_limit, seed=form.seed)
        task = decoded_artifact.hand_over(session, task, decoded)
    Path(summary_path).write_text(meta_features_markdown(task), encoding="utf-8")
    return to_json(task).decode()


def predict_regime(
    task: str, store: str, candidates_path: str, predictor: Artifact, zoo: Artifact
) -> str:
    """Step 2: write the candidates in Markdown, and return the recommendation as JSON.

    The artifacts point at the version of the predictor and at the zoos that were used.
    """
    described = from_json(task, Task, "task")
    with _step("choose", described.task_id):
        session = _session(described, store)
        recommendation = predicting.predict_regime(session, described)
    lineage.show_predictor_used(predictor, session.store, session.method, recommendation)
    lineage.show_zoo_used(zoo, session.store, len(session.zoo.entries))
    page = regime_markdown(
        recommendation.candidates,
        recommendation.predictor_version,
        recommendation.num_experiences,
        recommendation.note,
    )
    Path(candidates_path).write_text(page, encoding="utf-8")
    return to_json(recommendation).decode()


def finetune(
    task: str,
    recommendation: str,
    store: str,
    model: Artifact,
    metrics: Artifact,
    report_path: str,
    decoded: Artifact | None = None,
) -> str:
    """Step 3: write metrics and a page, point at the model, and return the task's id."""
    chosen = from_json(recommendation, Recommendation, "recommendation")
    described = from_json(task, Task, "task")
    with _step("finetune", described.task_id) as log:
        session = _session(described, store)
        from nasoa.online.tuning.job import Listeners  # noqa: PLC0415  (torch takes a second)
        from nasoa.steps import finetune as tuning  # noqa: PLC0415

        decoded_artifact.take_over(session, described, decoded)
        listeners = Listeners(progress=logged_progress())
        experience = tuning.finetune(session, described, chosen, listeners=listeners)
    record_outcome(session.store, log.outcome(described, experience.elapsed_s))
    lineage.show_model(model, experience)
    metrics.metadata.update(
        {
            "accuracy": experience.accuracy,
            "predicted_accuracy": round(experience.predicted_accuracy, 4),
            "elapsed_s": experience.elapsed_s,
            "time_limit_s": experience.task.time_limit_s,
        }
    )
    if experience.energy is not None:
        used = {"energy_wh": experience.energy.energy_wh, "co2_g": experience.energy.co2_g}
        metrics.metadata.update(used)
    page = task_page(experience, chosen.candidates)
    Path(report_path).write_text(page, encoding="utf-8")
    return experience.task.task_id


def update_predictor(task_id: str, store: str, metrics: Artifact, predictor: Artifact) -> str:
    """Step 4: write metrics, point at the new version, and return the task's result as JSON."""
    with _step("learn", task_id):
        session = TaskSession(open_store(store), started=process_start())
        result = updating.update_predictor(session, task_id)
    method = method_named(experience_log.read(session.store, task_id).task.method)
    lineage.show_predictor_made(predictor, session.store, method, result)
    error = abs(result.predicted_accuracy - result.accuracy)
    metrics.metadata.update(
        {
            "predictor_version": result.predictor_version_after,
            "prediction_error": round(error, 4),
        }
    )
    return to_json(result).decode()


@contextmanager
def _step(name: str, task_id: str = "") -> Iterator[StepLog]:
    """Log a step; on SIGTERM it exits cleanly and leaves no temporary files behind."""
    log_in_pod()
    log = StepLog()
    with exit_on_sigterm(), log.step(name, task_id):
        yield log
    end_quickly()


def _session(task: Task, store: str) -> TaskSession:
    """Return a session that continues a task in a separate process."""
    return TaskSession(
        open_store(store),
        clock=task.clock,
        started=process_start(),
        method=method_named(task.method),
    )
