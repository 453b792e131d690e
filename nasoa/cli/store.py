"""`nasoa store`: care for the store itself."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, show
from nasoa.store import open_store
from nasoa.store.compaction import BLOCK_SIZE, compact

COMPACT_HELP = """\
Pack finished fine-tunes of the experience log, the oldest first, into blocks of many. Over S3 a
block is one request to read, and a thousand loose ones are one request to list and a thousand to
read; so with thousands of fine-tunes run it at intervals (each hour, each night). Nothing is lost
if it is stopped, or if several run while tasks end. It needs the right to write and delete under
experience/.
"""


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`store compact`."""
    group = verbs.add_parser("store", help="care for the store")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = own.add_parser(
        "compact",
        parents=[shared],
        help="pack the experience log",
        description=COMPACT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "--block-size",
        type=int,
        default=BLOCK_SIZE,
        metavar="N",
        help=f"experiences in a block; fewer than that stay loose (default: {BLOCK_SIZE})",
    )
    verb.set_defaults(run=run_compact)


def run_compact(arguments: argparse.Namespace) -> None:
    """Pack the experience log."""
    done = compact(open_store(arguments.store), arguments.block_size)
    blocks = "1 block" if done.blocks == 1 else f"{done.blocks} blocks"
    show(
        arguments, done, f"Packed {done.packed} experiences into {blocks}; {done.loose} left loose."
    )
