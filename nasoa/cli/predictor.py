"""`nasoa predictor`: what was learned."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, show, table
from nasoa.steps import knowledge


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`predictor show`."""
    group = verbs.add_parser("predictor", help="what was learned")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    own.add_parser("show", parents=[shared], help="the predictor's versions").set_defaults(
        run=run_show
    )


def run_show(arguments: argparse.Namespace) -> None:
    """Print the versions of the predictor and what each learned."""
    versions = knowledge.predictor_versions(arguments.store)
    rows = [
        (
            row.version,
            row.parent,
            row.num_learned,
            ", ".join(row.new[:3]) + (" ..." if len(row.new) > 3 else ""),
            row.created_at[:19],
        )
        for row in versions
    ]
    header = ("version", "from", "learned", "new", "made at (UTC)")
    text = table(header, rows) if rows else "There is no version yet: nothing was fine-tuned."
    show(arguments, versions, text)
