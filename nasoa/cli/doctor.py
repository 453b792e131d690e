"""`nasoa doctor`: what works here."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, show, table
from nasoa.errors import NasoaError
from nasoa.steps import health


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`doctor`."""
    verb = verbs.add_parser("doctor", parents=[shared], help="what works here")
    verb.add_argument("--check", action="store_true", help="exit with 1 if something does not work")
    verb.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> None:
    """Check the device, the zoo, the store and the pipelines; with --check the exit code tells.

    Raises:
        NasoaError: with --check, something does not work.
    """
    findings = [*health.check(arguments.store), _check_pipelines()]
    rows = [(f.subject, "ok" if f.ok else "not ok", f.detail) for f in findings]
    show(arguments, findings, table(("what", "state", "detail"), rows))
    broken = [f.subject for f in findings if not f.ok]
    if arguments.check and broken:
        raise NasoaError(f"does not work here: {', '.join(broken)}")


def _check_pipelines() -> health.Finding:
    try:
        from nasoa.pipelines.catalogue import versions  # noqa: PLC0415

        return health.Finding(subject="pipelines", ok=True, detail=versions())
    except ImportError as error:
        return health.Finding(subject="pipelines", ok=False, detail=f"{error}; install kfp")
