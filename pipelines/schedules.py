"""Create, update, pause, resume and remove recurring runs by name, without duplicates.

KFP allows several recurring runs with one name, and cannot change one. So an update creates the new
one paused, removes the old one, and then enables the new one: two never fire, and if the sequence
is interrupted, the next call finds what is left and completes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nasoa.errors import ClusterRefused, InvalidInput
from nasoa.pipelines.client import EXPERIMENT, Cluster, identified, named
from nasoa.pipelines.cron import Cron, parse
from nasoa.pipelines.publishing import Version

_ENABLED = ("ENABLED", "ENABLE")
_OURS = re.compile(r"nasoa (\S+) ")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring run.

    Args:
        name: name of the recurring run.
        recurring_run_id: KFP's id of the recurring run.
        change: created, updated, unchanged, paused, resumed or removed.
        cron: cron expression of six fields, in UTC.
        enabled: whether it fires.
        next_run: next time in ISO 8601, or None if it does not fire.
        version_id: id of the pipeline version that it runs.
        parameters: parameters of its runs.
    """

    name: str
    recurring_run_id: str
    change: str
    cron: str
    enabled: bool
    next_run: str | None
    version_id: str | None
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The desired state of a recurring run.

    Args:
        name: name of the recurring run.
        cron: when it fires.
        version: version of the pipeline.
        parameters: values of the parameters, of their types.
        enabled: whether it fires.
        experiment: experiment that groups its runs.
        service_account: service account of the pods; empty for KFP's own.
    """

    name: str
    cron: Cron
    version: Version
    parameters: Mapping[str, Any]
    enabled: bool = True
    experiment: str = EXPERIMENT
    service_account: str = ""


def ensure(cluster: Cluster, wanted: Wanted) -> Schedule:
    """Bring a recurring run into the desired state; do nothing if it is in it already."""
    there = _find(cluster, wanted.name)
    same = [job for job in there if _is_same(job, wanted)]
    if same:
        kept = next((job for job in same if _is_enabled(job)), same[0])
        as_wanted = len(there) == 1 and _is_enabled(kept) == wanted.enabled
        change = "unchanged" if as_wanted else "updated"
    else:
        kept = _make_paused(cluster, wanted)
        change = "updated" if there else "created"
    for job in there:
        if job.recurring_run_id != kept.recurring_run_id:
            _remove(cluster, job)
    _switch(cluster, kept, wanted.enabled)
    return _described(kept, change, wanted.enabled)


def switch(cluster: Cluster, name: str, enabled: bool) -> Schedule:
    """Pause or resume a recurring run; of several with this name, only the newest is kept.

    Raises:
        ClusterRefused: no recurring run has this name.
    """
    kept, *others = _known(cluster, name)
    for job in others:
        _remove(cluster, job)
    if _is_enabled(kept) == enabled:
        return _described(kept, "unchanged", enabled)
    _switch(cluster, kept, enabled)
    return _described(kept, "resumed" if enabled else "paused", enabled)


def of_ours(cluster: Cluster) -> Iterator[tuple[str, Any]]:
    """Yield each recurring run that nasoa created, after the name of its pipeline at KFP."""
    for job in cluster.all(
        cluster.sdk.list_recurring_runs, "recurring_runs", namespace=cluster.namespace or None
    ):
        ours = _OURS.match(job.description or "")
        if ours:
            yield ours[1], job


def pause_where(cluster: Cluster, has_ended: Callable[[str, Any], bool]) -> list[Schedule]:
    """Pause each enabled recurring run that nasoa created and that has nothing left to do.

    Args:
        cluster: cluster with the recurring runs.
        has_ended: predicate on the name of the pipeline at KFP and the recurring run.
    """
    firing = [(name, job) for name, job in of_ours(cluster) if _is_enabled(job)]
    ended = [job for name, job in firing if has_ended(name, job)]
    for job in ended:
        _switch(cluster, job, enabled=False)
    return [_described(job, "paused", enabled=False) for job in ended]


def given_parameters(job: Any) -> dict[str, Any]:
    """Return the parameters that a recurring run sets; the others have its version's defaults."""
    return dict((job.runtime_config.parameters if job.runtime_config else None) or {})


def remove(cluster: Cluster, name: str) -> Schedule:
    """Remove every recurring run of that name; the runs that it started are kept.

    Raises:
        ClusterRefused: no recurring run has this name.
    """
    there = _known(cluster, name)
    for job in there:
        _remove(cluster, job)
    return _described(there[0], "removed", enabled=False)


def _known(cluster: Cluster, name: str) -> list[Any]:
    there = _find(cluster, name)
    if not there:
        raise ClusterRefused(
            f"no recurring run {name!r} at {cluster.host}; create one with "
            "nasoa pipeline schedule NAME --cron EXPR"
        )
    return there


def _find(cluster: Cluster, name: str) -> list[Any]:
    """Return all recurring runs of that name, newest first."""
    listed = cluster.all(
        cluster.sdk.list_recurring_runs,
        "recurring_runs",
        namespace=cluster.namespace or None,
        sort_by="created_at desc",
        filter=named(name),
    )
    return list(listed)


def _make_paused(cluster: Cluster, wanted: Wanted) -> Any:
    experiment_id = cluster.experiment_id(wanted.experiment)

    def make() -> Any:
        made = cluster.sdk.create_recurring_run(
            experiment_id=experiment_id,
            job_name=wanted.name,
            description=f"nasoa {wanted.version.pipeline} {wanted.version.version}",
            cron_expression=wanted.cron.text,
            max_concurrency=1,
            no_catchup=True,  # a search that was down for a week runs once, not seven times
            params=dict(wanted.parameters),
            pipeline_id=wanted.version.pipeline_id,
            version_id=wanted.version.version_id,
            enabled=False,
            service_account=wanted.service_account or None,
        )
        return identified(made, "recurring_run_id")

    def find() -> Any:
        return next((job for job in _find(cluster, wanted.name) if _is_same(job, wanted)), None)

    return cluster.once(make, find)


def _is_same(job: Any, wanted: Wanted) -> bool:
    """Return whether a recurring run is the desired one, whether enabled or paused.

    KFP fills in its own service account if none was given, so any matches if none is desired.
    """
    reference = job.pipeline_version_reference
    return (
        _cron(job) == wanted.cron.text
        and reference is not None
        and reference.pipeline_version_id == wanted.version.version_id
        and given_parameters(job) == dict(wanted.parameters)
        and wanted.service_account in ("", job.service_account)
    )


def _cron(job: Any) -> str:
    schedule = job.trigger.cron_schedule if job.trigger else None
    return (schedule.cron or "") if schedule else ""


def _is_enabled(job: Any) -> bool:
    """Return whether a recurring run fires: KFP answers with `status`, and takes `mode`."""
    return job.status in _ENABLED if job.status else job.mode in _ENABLED


def _switch(cluster: Cluster, job: Any, enabled: bool) -> None:
    if _is_enabled(job) == enabled:
        return
    call = cluster.sdk.enable_recurring_run if enabled else cluster.sdk.disable_recurring_run
    with cluster.calling():
        call(job.recurring_run_id)


def _remove(cluster: Cluster, job: Any) -> None:
    """Pause a recurring run, then delete it; one that no longer exists is not an error."""
    try:
        _switch(cluster, job, enabled=False)
        with cluster.calling():
            cluster.sdk.delete_recurring_run(job.recurring_run_id)
    except ClusterRefused as error:
        if error.status != 404:
            raise


def _described(job: Any, change: str, enabled: bool) -> Schedule:
    reference = job.pipeline_version_reference
    return Schedule(
        name=job.display_name,
        recurring_run_id=job.recurring_run_id,
        change=change,
        cron=_cron(job),
        enabled=enabled,
        next_run=_next_run(_cron(job)) if enabled else None,
        version_id=reference.pipeline_version_id if reference else None,
        parameters=given_parameters(job),
    )


def _next_run(cron: str) -> str | None:
    try:
        moment = parse(cron).next_after(datetime.now(UTC))
    except InvalidInput:  # a periodic schedule, or one that nasoa did not create
        return None
    return moment.isoformat() if moment else None
