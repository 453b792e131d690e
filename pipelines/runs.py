"""The status of a run as KFP reports it: state, steps and their artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nasoa.pipelines.argo_endings import ending
from nasoa.pipelines.argo_nodes import holds_no_step, is_machinery, step_of

ENDED = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run.

    Args:
        name: name in the user interface.
        state: PENDING, RUNNING, SUCCEEDED, SKIPPED, FAILED, CANCELED...; empty before it starts.
        started_at, ended_at: ISO 8601, or None.
        pods: names of its pods.
        artifacts: ids of the artifacts that it produced, by output name.
        error: error message, or None.
    """

    name: str
    state: str
    started_at: str | None
    ended_at: str | None
    pods: tuple[str, ...]
    artifacts: dict[str, tuple[str, ...]]
    error: str | None


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The status of a run.

    Args:
        run_id: KFP's id of the run.
        name: display name.
        state: one of the states of a step; CANCELED also if KFP reports a cancelled run as FAILED.
        created_at, ended_at: ISO 8601, or None.
        parameters: parameters that the run was started with.
        recurring_run_id: id of the schedule that started it, or None.
        error: error message, or None.
        failed_step: name of the step in which the failure began, or that was stopped, or None.
        url: page of the run in the user interface.
        steps: steps in the order in which they started.
    """

    run_id: str
    name: str
    state: str
    created_at: str | None
    ended_at: str | None
    parameters: dict[str, Any]
    recurring_run_id: str | None
    error: str | None
    failed_step: str | None
    url: str
    steps: tuple[Step, ...]

    @property
    def reason(self) -> str:
        """Why the run did not succeed, in one line."""
        said = self.error or "KFP gives no reason"
        return f"step {self.failed_step!r}: {said}" if self.failed_step else said


def read_run(run: Any, host: str) -> RunStatus:
    """Convert a run of the SDK to a `RunStatus`.

    Args:
        run: a V2beta1Run.
        host: host of KFP, for the link.

    Raises:
        ValueError: the id or state of the run is not a string, or the id is empty.
    """
    if not isinstance(run.run_id, str) or not run.run_id or not isinstance(run.state or "", str):
        raise ValueError(f"a run with the id {run.run_id!r} and the state {run.state!r}")
    details = (run.run_details.task_details if run.run_details else None) or []
    return RunStatus(
        run_id=run.run_id,
        name=run.display_name or "",
        state=run.state or "PENDING",
        created_at=_time(run.created_at),
        ended_at=_time(run.finished_at),
        parameters=dict(run.runtime_config.parameters or {}) if run.runtime_config else {},
        recurring_run_id=run.recurring_run_id or None,
        error=_error(run.error),
        failed_step=_failed_step(details) if run.state == "FAILED" else None,
        url=f"{host}/#/runs/details/{run.run_id}",
        steps=tuple(_read_step(task) for task in _steps(details)),
    )


def _steps(tasks: Iterable[Any]) -> list[Any]:
    """Return the steps of the pipeline, oldest first, without the other nodes that Argo runs."""
    return sorted((t for t in tasks if not is_machinery(t.display_name or "")), key=_began)


def _failed_step(tasks: Iterable[Any]) -> str | None:
    """Return the failed task that started last: pipelines and loops fail with a step in them."""
    failed = [
        task
        for task in tasks
        if task.state == "FAILED" and not holds_no_step(task.display_name or "")
    ]
    last = max(failed, key=_began, default=None)
    return None if last is None else step_of(last.display_name or "")


def explained(run: RunStatus, manifest: str) -> RunStatus:
    """Return the run with the end that its Argo workflow reports.

    Args:
        run: a run that did not succeed.
        manifest: the workflow as JSON; empty if it is not known.
    """
    found = ending(manifest)
    if found is None:
        return run
    return replace(run, state=found.state, failed_step=found.step, error=found.message)


def _began(task: Any) -> str:
    return str(_time(task.start_time) or _time(task.create_time) or "9")


def _read_step(task: Any) -> Step:
    pods = [task.pod_name, *(child.pod_name for child in task.child_tasks or [])]
    outputs = (task.outputs or {}).items()
    return Step(
        name=task.display_name or task.task_id or "",
        state=task.state or "",
        started_at=_time(task.start_time),
        ended_at=_time(task.end_time),
        pods=tuple(dict.fromkeys(pod for pod in pods if pod)),
        artifacts={name: tuple(made.artifact_ids or ()) for name, made in outputs},
        error=_error(task.error),
    )


def _time(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601; None for the epoch, which KFP uses for what has not happened."""
    if moment is None or moment.year <= 1970:
        return None
    return moment.isoformat()


def _error(error: Any) -> str | None:
    return " ".join(error.message.split()) if error is not None and error.message else None
