"""`nasoa pipeline`: compile pipelines and run them here or on a cluster."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from nasoa.cli import cluster_flags, cluster_verbs
from nasoa.cli.cluster_verbs import PIPELINE_HELP
from nasoa.cli.output import Subparsers, show, step_line, table, user_path, work_bars
from nasoa.cli.task import describe_result
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput, LintFailed, TimeLimitError
from nasoa.records import TaskResult, from_json, to_json
from nasoa.work_progress import reported

FINE_TUNES = ("finetune_task", "finetune_images")  # pipelines of one task within its limit


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `pipeline list`, `compile`, `lint` and `run`, and the verbs for a cluster."""
    group = verbs.add_parser("pipeline", help="Kubeflow pipelines")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    own.add_parser("list", parents=[shared], help="list all pipelines").set_defaults(run=run_list)
    compiles = own.add_parser("compile", parents=[shared], help="write the YAML for a cluster")
    compiles.add_argument("name", nargs="?", metavar="NAME", help=PIPELINE_HELP)
    compiles.add_argument("--all", action="store_true", help="every pipeline")
    compiles.add_argument(
        "-o",
        "--output",
        required=True,
        type=user_path,
        metavar="DIR",
        help="folder for the files, NAME.yaml",
    )
    _add_options(compiles)
    compiles.set_defaults(run=run_compile)
    lints = own.add_parser("lint", parents=[shared], help="check compiled YAML")
    lints.add_argument(
        "files", nargs="+", type=user_path, metavar="FILE", help="compiled pipelines"
    )
    lints.set_defaults(run=run_lint)
    run = own.add_parser("run", parents=[shared], help="run a pipeline here or on a cluster")
    run.add_argument("name", metavar="NAME", help=PIPELINE_HELP)
    run.add_argument(
        "--local", action="store_true", help="on this machine (the default without a host)"
    )
    run.add_argument(
        "--runner",
        choices=("process", "docker"),
        default="process",
        help="here, run each component in a separate process (the default) or in a container",
    )
    run.add_argument("--wait", action="store_true", help="wait for the run on the cluster to end")
    run.add_argument("--wait-limit", metavar="TIME", help="stop waiting after this time, like 2h")
    cluster_flags.add_parameters(run)
    cluster_flags.add_connection(run)
    run.set_defaults(run=run_run)
    cluster_verbs.add_verbs(own, shared)


def _add_options(compiles: argparse.ArgumentParser) -> None:
    """Add the compile-time options; upload, run and schedule read the variables too."""
    compiles.add_argument(
        "--site",
        metavar="FILE",
        help="YAML file with the defaults of a site: store, image, secret, pools (or NASOA_SITE)",
    )
    compiles.add_argument(
        "--secret",
        metavar="NAME",
        help="secret with the store's keys (default: nasoa-s3-{component}, or NASOA_SECRET); "
        "without {component}, one for all steps",
    )
    compiles.add_argument(
        "--shared-memory",
        metavar="SIZE",
        help="shared memory of GPU steps (default: 8Gi, or NASOA_SHARED_MEMORY)",
    )
    compiles.add_argument(
        "--scratch",
        metavar="SIZE",
        help="disk space of GPU steps in /tmp (default: 96Gi, or NASOA_SCRATCH)",
    )
    compiles.add_argument(
        "--data-claim",
        metavar="NAME",
        help="PersistentVolumeClaim that the pods share for copies of data (or NASOA_DATA_CLAIM)",
    )
    compiles.add_argument(
        "--queue", metavar="NAME", help="Kueue queue of all steps (or NASOA_QUEUE)"
    )
    compiles.add_argument(
        "--alert-secret",
        metavar="NAME",
        help="with NASOA_ALERT_URL, a webhook for failed runs (or NASOA_ALERT_SECRET)",
    )
    compiles.add_argument(
        "--run-ttl",
        metavar="TIME",
        help="for which Kubernetes keeps a workflow that has ended (default: the cluster's, or "
        "NASOA_RUN_TTL)",
    )
    compiles.add_argument(
        "--run-deadline",
        metavar="TIME",
        help="after which a whole run is stopped (default: never, or NASOA_RUN_DEADLINE)",
    )
    compiles.add_argument(
        "--parallelism",
        metavar="N",
        help="maximum number of parallel iterations of a loop (default: 16, or NASOA_PARALLELISM)",
    )
    for pool, default in (("light", "1h"), ("gpu", "24h")):
        compiles.add_argument(
            f"--{pool}-timeout",
            metavar="TIME",
            help=f"time after which an attempt of a {pool} step is stopped (default: {default}, "
            f"or NASOA_{pool.upper()}_TIMEOUT)",
        )


def run_list(arguments: argparse.Namespace) -> None:
    """Print the pipelines with their parameters."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415  (kfp takes a second to import)

    described = catalogue.describe()
    lines = []
    for pipeline in described:
        rows = [
            (key, _as_given(p["default"]), p["description"])
            for key, p in pipeline["parameters"].items()
        ]
        lines += [f"{pipeline['name']}: {pipeline['description']}"]
        lines += [table(("parameter", "default", "description"), rows), ""]
    show(arguments, described, "\n".join(lines))


def _as_given(default: Any) -> Any:
    """Return a default value in the form that `-p` takes."""
    if isinstance(default, list | dict):
        return json.dumps(default)
    return "" if default is None else default


def run_compile(arguments: argparse.Namespace) -> None:
    """Compile one pipeline or all, and check the compiled files."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.options import compile_options  # noqa: PLC0415

    if arguments.all == bool(arguments.name):
        raise InvalidInput("expected the name of a pipeline, or --all")
    given = {**vars(arguments), "store": arguments.store if "://" in arguments.store else None}
    options = compile_options(given)
    names = list(catalogue.PIPELINES) if arguments.all else [arguments.name]
    with work_bars():
        paths = [
            catalogue.compile_to(name, arguments.output, options)
            for name in reported(names, "pipelines")
        ]
        findings = _lint(paths)
    document = {"compiled": [str(path) for path in paths], "findings": findings}
    show(arguments, document, "\n".join([*(f"Wrote {path}" for path in paths), *findings]))
    _refuse(findings)


def run_lint(arguments: argparse.Namespace) -> None:
    """Check compiled pipelines."""
    with work_bars():
        findings = _lint(arguments.files)
    told = findings or [f"{len(arguments.files)} checked, nothing found"]
    show(arguments, {"findings": findings}, "\n".join(told))
    _refuse(findings)


def _lint(paths: list[Path]) -> list[str]:
    from nasoa.pipelines.linting import lint  # noqa: PLC0415

    return [str(finding) for path in reported(paths, "files") for finding in lint(path)]


def _refuse(findings: list[str]) -> None:
    """Raise `LintFailed`, which gives exit code 1, if there are findings."""
    if findings:
        raise LintFailed(f"{len(findings)} findings in compiled pipelines")


def run_run(arguments: argparse.Namespace) -> None:
    """Run a pipeline on a cluster, or through `kfp.local`, and print its result."""
    if arguments.local and arguments.host:
        raise InvalidInput("expected --local or --host, got both")
    if not arguments.local and cluster_flags.has_host(arguments):
        cluster_verbs.run_on_cluster(arguments)
        return
    from nasoa.pipelines.hidden_package import hidden_package  # noqa: PLC0415

    # kfp imports its client even here, and that this validator, if it is installed, which takes
    # longer than all the rest to import.
    with hidden_package("kubernetes_validate"):
        from nasoa.pipelines import local  # noqa: PLC0415

    parameters = {"store": arguments.store, **cluster_flags.read_parameters(arguments)}
    # KFP's log says what begins, too.
    line = step_line(_limit_s(arguments.name, parameters))
    with nullcontext(lambda _component: None) if arguments.verbose else line as begins:
        document = local.run(
            arguments.name,
            parameters,
            verbose=arguments.verbose,
            runner=arguments.runner,
            begins=begins,
        )
    if arguments.name.replace("-", "_") in FINE_TUNES:
        result = from_json(to_json(document), TaskResult, "result")
        show(arguments, result, describe_result(result))
    else:
        show(arguments, document, to_json(document).decode())


def _limit_s(name: str, parameters: Mapping[str, str]) -> float | None:
    """Return the time limit of a fine-tune in seconds.

    It is None for other pipelines, on the step clock, and if it is invalid.
    """
    from nasoa.pipelines import catalogue  # noqa: PLC0415

    if name.replace("-", "_") not in FINE_TUNES or parameters.get("clock") == "steps":
        return None
    body = catalogue.DEFINITIONS[name.replace("-", "_")].body
    default = inspect.signature(body).parameters["time_limit"].default
    with suppress(TimeLimitError):  # the pipeline itself refuses it
        return parse_duration(parameters.get("time_limit", default))
    return None
