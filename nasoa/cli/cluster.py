"""The verbs of `nasoa pipeline` that speak to a cluster, and the flags that say how to reach it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasoa.cli.output import Subparsers, show, table
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput, RunFailed

if TYPE_CHECKING:
    from nasoa.pipelines.client import Cluster, Connection
    from nasoa.pipelines.runs import RunStatus

# kfp takes a second to import, so the functions below import what needs it.

HOST_VARIABLE = "NASOA_KFP_HOST"
NAMESPACE_VARIABLE = "NASOA_KFP_NAMESPACE"
CA_VARIABLE = "NASOA_KFP_CA_FILE"


def add_connection(parser: argparse.ArgumentParser) -> None:
    """The flags that say which cluster, and who we are there."""
    group = parser.add_argument_group("cluster")
    group.add_argument("--host", metavar="URL", help=f"of Kubeflow Pipelines ({HOST_VARIABLE})")
    group.add_argument(
        "--namespace", help=f"where the runs' pods are, or your profile ({NAMESPACE_VARIABLE})"
    )
    group.add_argument("--token", help="bearer token; better in NASOA_KFP_TOKEN")
    group.add_argument("--cookie", help="of a browser's session; better in NASOA_KFP_COOKIE")
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with a service-account token, read anew each time (NASOA_KFP_TOKEN_FILE)",
    )
    group.add_argument(
        "--in-cluster", action="store_true", help="we are a pod: its token, and KFP's own service"
    )
    group.add_argument(
        "--ca-file", metavar="FILE", help=f"certificates that sign the host's ({CA_VARIABLE})"
    )
    group.add_argument(
        "--request-timeout", default="30s", metavar="TIME", help="for one answer (default: 30s)"
    )


def has_host(arguments: argparse.Namespace) -> bool:
    """Whether a cluster is named, by flag or environment."""
    return bool(arguments.host or arguments.in_cluster or os.environ.get(HOST_VARIABLE))


def connection(arguments: argparse.Namespace) -> Connection:
    """How to reach the cluster that flags and environment name.

    Raises:
        InvalidInput: no host is named, or something about it is wrong.
    """
    from nasoa.pipelines import authentication  # noqa: PLC0415
    from nasoa.pipelines.client import Connection, address  # noqa: PLC0415
    from nasoa.pipelines.transport import Patience  # noqa: PLC0415

    host = arguments.host or os.environ.get(HOST_VARIABLE)
    if not host and arguments.in_cluster:
        host = authentication.IN_CLUSTER_HOST
    if not host:
        raise InvalidInput(
            f"expected the cluster's address; give --host URL or set {HOST_VARIABLE}"
        )
    ca_file = arguments.ca_file or os.environ.get(CA_VARIABLE) or None
    if ca_file is not None and not Path(ca_file).is_file():
        raise InvalidInput(f"expected a file of certificates for --ca-file, got {ca_file!r}")
    return Connection(
        host=address(host),
        namespace=arguments.namespace or os.environ.get(NAMESPACE_VARIABLE, ""),
        credentials=authentication.choose(
            token=arguments.token,
            cookie=arguments.cookie,
            token_file=arguments.token_file,
            in_cluster=arguments.in_cluster,
        ),
        ca_file=Path(ca_file) if ca_file else None,
        patience=Patience(timeout_s=parse_duration(arguments.request_timeout)),
    )


def add_verbs(own: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`pipeline schedule`, `status`, `list-runs`, `cancel` and `upload`."""
    schedule = own.add_parser("schedule", parents=[shared], help="run a pipeline again and again")
    schedule.add_argument("name", metavar="NAME")
    schedule.add_argument("--cron", metavar="EXPR", help="like '0 3 * * *', in UTC")
    schedule.add_argument("--as", dest="job", help="the schedule's name (default: the pipeline's)")
    how = schedule.add_mutually_exclusive_group()
    how.add_argument("--pause", action="store_true", help="let it fire no more")
    how.add_argument("--resume", action="store_true", help="let it fire again")
    how.add_argument("--remove", action="store_true", help="take it away; its runs stay")
    add_parameters(schedule)
    schedule.set_defaults(run=run_schedule)
    status = own.add_parser("status", parents=[shared], help="a run's steps and artifacts")
    status.add_argument("run_id", metavar="RUN_ID")
    status.set_defaults(run=run_status)
    runs = own.add_parser("list-runs", parents=[shared], help="the newest runs")
    runs.add_argument("--limit", type=int, default=20, help="how many (default: 20)")
    runs.add_argument("--experiment", metavar="NAME", help="only this group of runs")
    runs.set_defaults(run=run_list_runs)
    cancel = own.add_parser("cancel", parents=[shared], help="stop a run")
    cancel.add_argument("run_id", metavar="RUN_ID")
    cancel.set_defaults(run=run_cancel)
    upload = own.add_parser("upload", parents=[shared], help="make a version of a pipeline")
    upload.add_argument("name", metavar="NAME")
    upload.add_argument("--as", dest="version", metavar="VERSION", help="the version's name")
    upload.set_defaults(run=run_upload)
    for verb in (schedule, status, runs, cancel, upload):
        add_connection(verb)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """`-p key=value`, and the group of runs."""
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of the pipeline; may be given several times",
    )
    parser.add_argument(
        "--experiment", default="nasoa", help="the group of runs on the cluster (default: nasoa)"
    )


def read_parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """What `-p` gives, as text."""
    parameters = {}
    for given in arguments.parameters:
        key, equals, value = given.partition("=")
        if not equals:
            raise InvalidInput(f"expected a parameter like -p data=photos.zip, got {given!r}")
        parameters[key] = value
    return parameters


def cluster_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of a pipeline that pods can use, of their types.

    Raises:
        InvalidInput: one is wrong, or the store is a folder of this machine.
    """
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.parameters import typed  # noqa: PLC0415

    pipeline = catalogue.find(arguments.name)
    parameters = read_parameters(arguments)
    if "store" in (pipeline.component_spec.inputs or {}) and "store" not in parameters:
        if not arguments.store.startswith("s3://"):
            raise InvalidInput(
                "expected a store that the pods can reach, like --store s3://bucket/prefix, got "
                f"{arguments.store!r}; for a folder that is mounted in them give -p store=..."
            )
        parameters["store"] = arguments.store
    return typed(pipeline, parameters)


def run_on_cluster(arguments: argparse.Namespace) -> None:
    """Start a pipeline on a cluster, and with `--wait` see how it ends."""
    from nasoa.pipelines.publishing import compiled  # noqa: PLC0415

    limit_s = None if arguments.wait_limit is None else parse_duration(arguments.wait_limit)
    name, parameters = arguments.name, cluster_parameters(arguments)
    cluster = _open(arguments)
    with compiled(name) as package:
        started = cluster.run(package, name, parameters, arguments.experiment)
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
    if ended.state != "SUCCEEDED":
        raise RunFailed(f"the run {ended.run_id} ended {ended.state}: {ended.reason}")


def run_schedule(arguments: argparse.Namespace) -> None:
    """Make, change, pause, resume or remove a recurring run."""
    from nasoa.pipelines import catalogue, cron, schedules  # noqa: PLC0415
    from nasoa.pipelines.publishing import upload  # noqa: PLC0415

    job = arguments.job or catalogue.find(arguments.name).pipeline_spec.pipeline_info.name
    if arguments.cron is None:
        if arguments.parameters:
            raise InvalidInput("expected --cron EXPR beside -p; a schedule is given whole")
        if not (arguments.pause or arguments.resume or arguments.remove):
            raise InvalidInput("expected --cron EXPR, --pause, --resume or --remove")
        cluster = _open(arguments)
        if arguments.remove:
            result = schedules.remove(cluster, job)
        else:
            result = schedules.switch(cluster, job, enabled=arguments.resume)
    else:
        if arguments.remove:
            raise InvalidInput("expected --cron or --remove, got both")
        when, parameters = cron.parse(arguments.cron), cluster_parameters(arguments)
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
        )
        result = schedules.ensure(cluster, wanted)
    state = f"fires next at {result.next_run}" if result.enabled else "does not fire"
    text = f"{result.name} ({result.recurring_run_id}) {result.change}: {result.cron}, {state}"
    show(arguments, result, text)


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


def run_cancel(arguments: argparse.Namespace) -> None:
    """Stop a run."""
    run = _open(arguments).cancel(arguments.run_id)
    show(arguments, run, f"{run.run_id} {run.state}")


def run_upload(arguments: argparse.Namespace) -> None:
    """Compile a pipeline and make it a version at KFP."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.publishing import upload  # noqa: PLC0415

    catalogue.find(arguments.name)
    made = upload(_open(arguments), arguments.name, arguments.version)
    did = "made" if made.created else "is there already"
    show(arguments, made, f"{made.pipeline} {made.version} {did}: {made.url}")


def _open(arguments: argparse.Namespace) -> Cluster:
    from nasoa.pipelines.client import Cluster  # noqa: PLC0415

    return Cluster(connection(arguments))


def _describe_run(run: RunStatus) -> str:
    lines = [f"{run.run_id} {run.state} {run.name}", run.url]
    if run.state not in ("SUCCEEDED",) and run.error:
        lines.append(f"error: {run.error}")
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
