"""Runs that ended badly and left no record: found at KFP, for a step that records them.

A run whose first driver failed has no last step, and the last step of another knows neither that it
was cancelled nor what Argo says of a failure. Whoever asks KFP afterwards does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasoa.pipelines.catalogue import DEFINITIONS
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.runs import RunStatus

_BADLY = ("FAILED", "CANCELED")
# Each of our pipelines has its steps in a pipeline of its name.
_TITLES = {f"{name.replace('_', '-')}-steps": name for name in DEFINITIONS}


@dataclass(frozen=True, kw_only=True)
class BadEnd:
    """A run of ours that failed or was cancelled.

    Args:
        run_id: KFP's.
        pipeline: its name at KFP.
        subject: what it was about: the data of a task, or the name of a search.
        state: FAILED or CANCELED.
        message: which step failed, and how.
    """

    run_id: str
    pipeline: str
    subject: str
    state: str
    message: str


def bad_ends(cluster: Cluster, store: str, limit: int) -> Iterator[BadEnd]:
    """Of the newest runs, those of our pipelines on a store that ended badly, newest first.

    Args:
        cluster: where.
        store: URI; a run that was given another is left out.
        limit: how many runs are looked at.
    """
    for run in cluster.list_runs(limit=limit):
        if run.state not in _BADLY or run.parameters.get("store", store) != store:
            continue
        seen = cluster.status(run.run_id)
        # Without its first driver a run has no steps, so that only its pipeline tells whose it is.
        name = _of_steps(seen) or _of_spec(cluster.spec_of_run(run.run_id))
        if name is not None:
            yield BadEnd(
                run_id=seen.run_id,
                pipeline=name.replace("_", "-"),
                subject=str(seen.parameters.get(DEFINITIONS[name].subject, "")),
                state=seen.state,
                message=seen.reason,
            )


def _of_steps(run: RunStatus) -> str | None:
    """Which of our pipelines a run is of, by the step that holds all others."""
    return next((_TITLES[step.name] for step in run.steps if step.name in _TITLES), None)


def _of_spec(spec: Mapping[str, Any]) -> str | None:
    """Which of our pipelines a compiled one is, by the same step."""
    root = spec.get("root")
    dag = root.get("dag") if isinstance(root, dict) else None
    tasks = dag.get("tasks") if isinstance(dag, dict) else None
    return next((_TITLES[task] for task in tasks or () if task in _TITLES), None)
