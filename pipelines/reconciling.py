"""Record runs at KFP that failed or were cancelled afterwards, with their reasons.

A run whose first driver failed has no last step. The last step of other runs cannot know that they
were cancelled or stopped at their deadline, and is not given Argo's message about a failure. KFP
has all of it after the run's end.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasoa.pipelines.catalogue import DEFINITIONS
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.runs import RunStatus
from nasoa.steps.record_failure import (
    explain_failure,
    failed_runs,
    lacks_reason,
    record_failure,
)

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
        explained: whether KFP gives a reason.
    """

    run_id: str
    pipeline: str
    subject: str
    state: str
    message: str
    explained: bool


@dataclass(frozen=True)
class Reconciled:
    """What was recorded about runs that failed or were cancelled.

    Args:
        recorded: runs that had no record.
        explained: runs whose record, by their last step, had no reason.
    """

    recorded: tuple[BadEnd, ...]
    explained: tuple[BadEnd, ...]


def reconcile(cluster: Cluster, store: str, limit: int) -> Reconciled:
    """Record the newest runs that failed or were cancelled, each with its reason, once.

    Args:
        cluster: cluster with the runs.
        store: store URI; runs with another store are left out.
        limit: number of newest runs to examine.
    """
    records = {failed.run_id: failed for failed in failed_runs(store)}
    known = {run_id for run_id, failed in records.items() if not lacks_reason(failed)}
    recorded, explained = [], []
    for end in bad_ends(cluster, store, limit, known):
        failed = records.get(end.run_id)
        if failed is None:
            record_failure(store, end.run_id, end.pipeline, end.subject, end.state, end.message)
            recorded.append(end)
        elif end.explained:
            explain_failure(store, failed, end.state, end.message)
            explained.append(end)
    return Reconciled(tuple(recorded), tuple(explained))


def bad_ends(
    cluster: Cluster, store: str, limit: int, known: Container[str] = ()
) -> Iterator[BadEnd]:
    """Yield the newest runs of our pipelines that failed or were cancelled, newest first.

    Args:
        cluster: cluster with the runs.
        store: store URI; runs with another store are left out.
        limit: number of newest runs to examine.
        known: ids of runs to leave out.
    """
    for run in cluster.list_runs(limit=limit):
        if run.state not in _BADLY or run.run_id in known:
            continue
        if run.parameters.get("store", store) != store:
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
                explained=seen.error is not None,
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
