"""Find runs at KFP that failed or were cancelled, so that they can be recorded afterwards.

A run whose first driver failed has no last step. The last step of other runs can record neither
that they were cancelled nor Argo's message about a failure. KFP has all of it after the run's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasoa.pipelines.catalogue import DEFINITIONS
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.runs import RunStatus

_BADLY = ("FAILED", "CANCELED")
# Each of our pipelines has its steps in a nested pipeline that is named after it.
_TITLES = {f"{name.replace('_', '-')}-steps": name for name in DEFINITIONS}


@dataclass(frozen=True, kw_only=True)
class BadEnd:
    """A run of one of our pipelines that failed or was cancelled.

    Args:
        run_id: KFP's id of the run.
        pipeline: name of the pipeline at KFP.
        subject: what the run was about: the data of a task, or the name of a search.
        state: FAILED or CANCELED.
        message: which step failed, and how.
    """

    run_id: str
    pipeline: str
    subject: str
    state: str
    message: str


def bad_ends(cluster: Cluster, store: str, limit: int) -> Iterator[BadEnd]:
    """Yield the newest runs of our pipelines that failed or were cancelled, newest first.

    Args:
        cluster: cluster with the runs.
        store: store URI; runs with another store are left out.
        limit: number of newest runs to examine.
    """
    for run in cluster.list_runs(limit=limit):
        if run.state not in _BADLY or run.parameters.get("store", store) != store:
            continue
        seen = cluster.status(run.run_id)
        # A run whose first driver failed has no steps; its compiled pipeline identifies it.
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
    """Return which of our pipelines a run belongs to, by the nested pipeline of its steps."""
    return next((_TITLES[step.name] for step in run.steps if step.name in _TITLES), None)


def _of_spec(spec: Mapping[str, Any]) -> str | None:
    """Return which of our pipelines a compiled pipeline is, by the same nested pipeline."""
    root = spec.get("root")
    dag = root.get("dag") if isinstance(root, dict) else None
    tasks = dag.get("tasks") if isinstance(dag, dict) else None
    return next((_TITLES[task] for task in tasks or () if task in _TITLES), None)
