"""`nasoa doctor`: check this installation or a cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nasoa.cli import cluster_flags
from nasoa.cli.output import Subparsers, show, table, user_path, work_bars
from nasoa.errors import ClusterRefused, NasoaError

if TYPE_CHECKING:
    from nasoa.steps import health


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `doctor`."""
    verb = verbs.add_parser("doctor", parents=[shared], help="check this installation or a cluster")
    verb.add_argument(
        "--cluster", action="store_true", help="check a cluster; nothing is changed there"
    )
    verb.add_argument("--kube-context", metavar="NAME", help="context of the kubeconfig")
    verb.add_argument("--pipeline", metavar="NAME", help="pipeline to check (default: all)")
    cluster_flags.add_parameters(verb)
    cluster_flags.add_connection(verb)
    verb.add_argument(
        "--manifests",
        action="append",
        default=[],
        type=user_path,
        metavar="FILE",
        help="with --cluster: check that the cluster would accept these documents; may be given "
        "several times",
    )
    verb.add_argument("--check", action="store_true", help="exit with 1 if something does not work")
    verb.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> None:
    """Check the device, the zoo, the store and the pipelines, or a cluster with `--cluster`.

    A failed check changes the exit code only with `--check` (to 1) or `--cluster` (to 2).

    Raises:
        NasoaError: with `--check`, something does not work here.
        ClusterRefused: with `--cluster`, something does not work on the cluster.
    """
    if not arguments.cluster:
        from nasoa.steps import health  # noqa: PLC0415

        with work_bars():
            findings = [*health.check(arguments.store), _check_pipelines()]
        _show(arguments, findings)
        broken = [f.subject for f in findings if not f.ok]
        if arguments.check and broken:
            raise NasoaError(f"does not work here: {', '.join(broken)}")
        return
    with work_bars():
        findings = _check_cluster(arguments)
    _show(arguments, findings)
    wrong = [finding.subject for finding in findings if not finding.ok]
    if wrong:
        raise ClusterRefused(
            f"{len(wrong)} of {len(findings)} checks failed: {', '.join(wrong)}; "
            "see above for what to do"
        )


def _show(arguments: argparse.Namespace, findings: Sequence[health.Finding]) -> None:
    rows = [(f.subject, "ok" if f.ok else "not ok", f.detail) for f in findings]
    show(arguments, findings, table(("what", "state", "detail"), rows))


def _check_pipelines() -> health.Finding:
    from nasoa.steps import health  # noqa: PLC0415

    try:
        from nasoa.pipelines.catalogue import versions  # noqa: PLC0415

        return health.Finding(subject="pipelines", ok=True, detail=versions())
    except ImportError as error:
        return health.Finding(subject="pipelines", ok=False, detail=f"{error}; install kfp")


def _check_cluster(arguments: argparse.Namespace) -> list[health.Finding]:
    from nasoa.pipelines import cluster_health  # noqa: PLC0415

    examined = cluster_health.Examined(
        parameters=_parameters(arguments),
        context=arguments.kube_context,
        service_account=cluster_flags.service_account(arguments),
        manifests=tuple(arguments.manifests),
    )
    report = cluster_health.check(cluster_flags.connection(arguments), examined)
    return [*report.findings, _bucket(arguments.store, report.environment)]


def _parameters(arguments: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Return the selected pipelines, each with those of the given parameters that it has."""
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.parameters import typed_where_known  # noqa: PLC0415

    if arguments.pipeline is not None:
        catalogue.find(arguments.pipeline)
    names = [arguments.pipeline] if arguments.pipeline else list(catalogue.PIPELINES)
    given = cluster_flags.read_parameters(arguments)
    return {name: typed_where_known(catalogue.find(name), given) for name in names}


def _bucket(store: str, pods: Mapping[str, str]) -> health.Finding:
    """Check that the bucket can be read and written with the environment of the pods."""
    from nasoa.steps import health  # noqa: PLC0415

    if not store.startswith("s3://"):
        detail = f"expected --store s3://bucket/prefix, got {store!r}: pods cannot reach a folder"
        return health.Finding(subject="bucket", ok=False, detail=detail)
    with _environment(pods):
        found = health.store_works(store)
        endpoint = os.environ.get("NASOA_S3_ENDPOINT", "")
    detail = found.detail
    if not found.ok and ".svc" in endpoint:
        detail += (
            "; this name is known inside the cluster only: forward its port and set "
            "NASOA_S3_ENDPOINT here"
        )
    return health.Finding(subject="bucket", ok=found.ok, detail=detail)


@contextmanager
def _environment(pods: Mapping[str, str]) -> Iterator[None]:
    """Use the environment of the pods, but this machine's endpoint if it is set."""
    before = dict(os.environ)
    here = before.get("NASOA_S3_ENDPOINT")
    os.environ.update(pods)
    if here:
        os.environ["NASOA_S3_ENDPOINT"] = here
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
