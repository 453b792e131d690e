"""A run as KFP tells of it: its state, its steps, what they made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ENDED = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"})
_STATES_OF_FAILURE = frozenset({"FAILED"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run.

    Args:
        name: as the user interface shows it.
        state: PENDING, RUNNING, SUCCEEDED, SKIPPED, FAILED, CANCELED...; empty before it starts.
        started_at, ended_at: ISO 8601, or None.
        pods: that worked for it.
        artifacts: the ids of what it made, by output name.
        error: what went wrong, or None.
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
    """A run.

    Args:
        run_id: its id.
        name: its display name.
        state: as for a step.
        created_at, ended_at: ISO 8601, or None.
        parameters: that it was started with.
        recurring_run_id: of the schedule that started it, or None.
        error: what went wrong, or None.
        url: its page in the user interface.
        steps: in the order in which they began.
    """

    run_id: str
    name: str
    state: str
    created_at: str | None
    ended_at: str | None
    parameters: dict[str, Any]
    recurring_run_id: str | None
    error: str | None
    url: str
    steps: tuple[Step, ...]

    @property
    def reason(self) -> str:
        """Why it did not succeed, in one line."""
        failed = [f"step {s.name!r}: {s.error or s.state}" for s in self.steps if _has_failed(s)]
        return "; ".join(failed[:1]) or self.error or "KFP gives no reason"


def read_run(run: Any, host: str) -> RunStatus:
    """A run of the SDK's as plain values.

    Args:
        run: a V2beta1Run.
        host: for the link.

    Raises:
        ValueError: its id or state is no text.
    """
    if not isinstance(run.run_id, str) or not run.run_id or not isinstance(run.state or "", str):
        raise ValueError(f"a run with the id {run.run_id!r} and the state {run.state!r}")
    details = run.run_details.task_details if run.run_details else None
    return RunStatus(
        run_id=run.run_id,
        name=run.display_name or "",
        state=run.state or "PENDING",
        created_at=_time(run.created_at),
        ended_at=_time(run.finished_at),
        parameters=dict(run.runtime_config.parameters or {}) if run.runtime_config else {},
        recurring_run_id=run.recurring_run_id or None,
        error=_error(run.error),
        url=f"{host}/#/runs/details/{run.run_id}",
        steps=tuple(_read_step(task) for task in _steps(details or [])),
    )


def _steps(tasks: Iterable[Any]) -> list[Any]:
    """The steps of the pipeline, oldest first.

    KFP lists what Argo runs: the pipeline itself as `root`, a driver before each step, and an
    executor in it. These are shown only where they failed, since then they hold the reason.
    """
    shown = [task for task in tasks if not _is_machinery(task) or task.state in _STATES_OF_FAILURE]
    return sorted(shown, key=lambda t: str(_time(t.start_time) or _time(t.create_time) or "9"))


def _is_machinery(task: Any) -> bool:
    name = task.display_name or ""
    return name in ("root", "executor") or name.endswith("-driver")


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


def _has_failed(step: Step) -> bool:
    return step.state in _STATES_OF_FAILURE and step.name != "root"


def _time(moment: datetime | None) -> str | None:
    """ISO 8601; KFP writes the beginning of time for what has not happened."""
    if moment is None or moment.year <= 1970:
        return None
    return moment.isoformat()


def _error(error: Any) -> str | None:
    return " ".join(error.message.split()) if error is not None and error.message else None
