"""`nasoa report`: write a page about a store."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, show, user_path, work_bars, write_page
from nasoa.store import open_store


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `report`."""
    verb = verbs.add_parser("report", parents=[shared], help="write a page about the store")
    verb.add_argument(
        "-o",
        "--output",
        required=True,
        type=user_path,
        metavar="FILE.html",
        help="page to write",
    )
    verb.set_defaults(run=run_report)


def run_report(arguments: argparse.Namespace) -> None:
    """Write the page about the store."""
    from nasoa.steps.reporting import store_report  # noqa: PLC0415

    with work_bars():
        page = store_report(open_store(arguments.store))
    write_page(arguments.output, page)
    show(arguments, {"report": str(arguments.output)}, f"Wrote {arguments.output}.")
