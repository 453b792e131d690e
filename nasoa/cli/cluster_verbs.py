"""The verbs of `nasoa pipeline` that use a cluster."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nasoa.cli import cluster_flags
from nasoa.cli.output import Subparsers, show, table
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput, RunFailed

if TYPE_CHECKING:
    from nasoa.pipelines.client import Cluster
    from nasoa.pipelines.runs import RunStatus
    from nasoa.pipelines.schedules import Schedule

# kfp takes a second to import, so the functions below import what depends on it.

PIPELINE_HELP = "name of a pipeline, as nasoa pipeline list prints it"
RUN_HELP = "ID of a run, as nasoa pipeline list-runs prints it"


def add_verbs(own: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `pipeline schedule`, `status`, `list-runs`, `cancel`, `upload` and `reconcile`."""
    schedule = own.add_parser("schedule", parents=[shared], help="run a pipeline at regular times")
    schedule.add_argument("name", metavar="NAME", help=PIPELINE_HELP)
    schedule.add_argument("--cron", metavar="EXPR", help="like '0 3 * * *', in UTC")
    schedule.add_argument("--as", dest="job", help="name of the schedule (default: the pipeline's)")
    how = schedule.add_mutually_exclusive_group()
    how.add_argument("--pause", action="store_true", help="stop starting runs")
    how.add_argument("--resume", action="store_true", help="start runs again")
    how.add_argument("--remove", action="store_true", help="remove the schedule; its runs stay")
    cluster_flags.add_parameters(schedule)
    schedule.set_defaults(run=run_schedule)
    status = own.add_parser("status", parents=[shared], help="a run's steps and artifacts")
    status.add_argument("run_id", metavar="RUN_ID", help=RUN_HELP)
    status.set_defaults(run=run_status)
    runs = own.add_parser("list-runs", parents=[shared], help="the newest runs")
    runs.add_argument("--limit", type=int, default=20, help="number of runs (default: 20)")
    runs.add_argument("--experiment", metavar="NAME", help="only runs of this group")
    runs.set_defaults(run=run_list_runs)
    cancel = own.add_parser("cancel", parents=[shared], help="stop a run")
    cancel.add_argument("run_id", metavar="RUN_ID", help=RUN_HELP)
    cancel.set_defaults(run=run_cancel)
    upload = own.add_parser("upload", parents=[shared], help="upload a version of a pipeline")
    upload.add_argument("name", metavar="NAME", help=PIPELINE_HELP)
    upload.add_argument("--as", dest="version", metavar="VERSION", help="name of the version")
    upload.set_defaults(run=run_upload)
    reconcile = own.add_parser(
        "reconcile",
        parents=[shared],
        help="record why runs failed, if nothing has, and pause schedules of ended searches",
    )
    reconcile.add_argument(
        "--limit", type=int, default=200, help="number of runs to check (default: 200)"
    )
    reconcile.set_defaults(run=run_reconcile)
    for verb in (schedule, status, runs, cancel, upload, reconcile):
        cluster_flags.add_connection(verb)


def run_on_cluster(arguments: argparse.Namespace) -> None:
    """Start a pipeline on a cluster; with `--wait`, wait until it ends."""
    from nasoa.pipelines.publishing import compiled  # noqa: PLC0415

    limit_s = None if arguments.wait_limit is None else parse_duration(arguments.wait_limit)
    name, parameters = arguments.name, cluster_flags.cluster_parameters(arguments)
    account = cluster_flags.service_account(arguments)
    cluster = _open(arguments)
    with compiled(name) as package:
        started = cluster.run(package, name, parameters, arguments.experiment, account)
    if not arguments.wait:
        show(arguments, started, _describe_run(started))
        return
    sys.stderr.write(f"Started {started.run_id}: {started.url}\n")
    shown = ""

    def report(seen: RunStatus) -> None:
        nonlocal shown
        now = ", ".join(f"{s.name} {s.state}" for s in seen.steps if s.state) or seen.state
        if now != shown:
            sys.stderr.write(f"{now}\n")
            shown = now

    ended = cluster.wait(started.run_id, limit_s=limit_s, report=report)
    show(arguments, ended, _describe_run(ended))
    if ended.state == "FAILED":
        raise RunFailed(f"the run {ended.run_id} failed: {ended.reason}")
    if ended.state != "SUCCEEDED":
        raise RunFailed(f"the run {ended.run_id} did not succeed: {ended.state}")


def run_schedule(arguments: argparse.Namespace) -> None:
    """Create, change, pause, resume or remove a recurring run."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415

    job = arguments.job or catalogue.find(arguments.name).pipeline_spec.pipeline_info.name
    if arguments.cron is not None:
        result = _ensure_schedule(arguments, job)
    else:
        result = _switch_schedule(arguments, job)
    state = f"fires next at {result.next_run}" if result.enabled else "does not fire"
    text = f"{result.name} ({result.recurring_run_id}) {result.change}: {result.cron}, {state}"
    show(arguments, result, text)


def _ensure_schedule(arguments: argparse.Namespace, job: str) -> Schedule:
    from nasoa.pipelines import cron, schedules  # noqa: PLC0415
    from nasoa.pipelines.publishing import upload  # noqa: PLC0415

    if arguments.remove:
        raise InvalidInput("expected --cron or --remove, got both")
    when = cron.parse(arguments.cron)
    parameters = cluster_flags.cluster_parameters(arguments)
    account = cluster_flags.service_account(arguments)
    cluster = _open(arguments)
    if when.converted:
        sys.stderr.write(
            f"nasoa: {arguments.cron!r} is {when.text!r} in KFP's six fields "
            "(seconds first, in UTC)\n"
        )
    wanted = schedules.Wanted(
        name=job,
        cron=when,
        version=upload(cluster, arguments.name),
        parameters=parameters,
        enabled=not arguments.pause,
        experiment=arguments.experiment,
        service_account=account,
    )
    return schedules.ensure(cluster, wanted)


def _switch_schedule(arguments: argparse.Namespace, job: str) -> Schedule:
    from nasoa.pipelines import schedules  # noqa: PLC0415

    if arguments.parameters:
        raise InvalidInput("expected --cron EXPR with -p: a schedule has to be given completely")
    if not (arguments.pause or arguments.resume or arguments.remove):
        raise InvalidInput("expected --cron EXPR, --pause, --resume or --remove")
    cluster = _open(arguments)
    if arguments.remove:
        return schedules.remove(cluster, job)
    return schedules.switch(cluster, job, enabled=arguments.resume)


def run_status(arguments: argparse.Namespace) -> None:
    """Print a run's state, steps and artifacts."""
    run = _open(arguments).status(arguments.run_id)
    show(arguments, run, _describe_run(run))


def run_list_runs(arguments: argparse.Namespace) -> None:
    """Print the newest runs."""
    if arguments.limit < 1:
        raise InvalidInput(f"expected --limit to be at least 1, got {arguments.limit}")
    runs = _open(arguments).list_runs(limit=arguments.limit, experiment=arguments.experiment)
    rows = [(run.run_id, run.state, run.created_at or "", run.name) for run in runs]
    show(arguments, runs, table(("run", "state", "created", "name"), rows))


def run_reconcile(arguments: argparse.Namespace) -> None:
    """Record why runs failed that have no record of it; pause schedules of ended searches."""
    from nasoa.pipelines.ended_searches import pause_ended  # noqa: PLC0415
    from nasoa.pipelines.reconciling import reconcile  # noqa: PLC0415

    if arguments.limit < 1:
        raise InvalidInput(f"expected --limit to be at least 1, got {arguments.limit}")
    cluster = _open(arguments)
    done = reconcile(cluster, arguments.store, arguments.limit)
    paused = pause_ended(cluster, arguments.store)
    rows = [
        (end.run_id, end.pipeline, end.state, end.message)
        for end in (*done.recorded, *done.explained)
    ]
    lines = [table(("run", "pipeline", "state", "message"), rows)]
    lines += [f"{schedule.name} paused: its search has ended" for schedule in paused]
    document = {"recorded": done.recorded, "explained": done.explained, "paused": paused}
    show(arguments, document, "\n".join(lines))


def run_cancel(arguments: argparse.Namespace) -> None:
    """Stop a run."""
    run = _open(arguments).cancel(arguments.run_id)
    show(arguments, run, f"{run.run_id} {run.state}")


def run_upload(arguments: argparse.Namespace) -> None:
    """Compile a pipeline and upload it to KFP as a version."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.publishing import upload  # noqa: PLC0415

    catalogue.find(arguments.name)
    made = upload(_open(arguments), arguments.name, arguments.version)
    did = "made" if made.created else "is there already"
    show(arguments, made, f"{made.pipeline} {made.version} {did}: {made.url}")


def _open(arguments: argparse.Namespace) -> Cluster:
    from nasoa.pipelines.client import Cluster  # noqa: PLC0415

    return Cluster(cluster_flags.connection(arguments))


def _describe_run(run: RunStatus) -> str:
    lines = [f"{run.run_id} {run.state} {run.name}", run.url]
    if run.error or run.failed_step:
        lines.append(f"error: {run.reason}")
    if run.steps:
        rows = [
            (
                step.name,
                step.state or "waits",
                step.started_at or "",
                step.ended_at or "",
                "; ".join(f"{k}: {', '.join(v)}" for k, v in step.artifacts.items()),
                step.error or "",
            )
            for step in run.steps
        ]
        lines += ["", table(("step", "state", "started", "ended", "artifacts", "error"), rows)]
    return "\n".join(lines)
