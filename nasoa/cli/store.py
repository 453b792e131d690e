"""`nasoa store`: care for the store itself."""

from __future__ import annotations

import argparse
import sys

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
METRICS_HELP = """\
Figures of the store in Prometheus' text format: tasks that ended, were late, and failed by reason,
seconds by step, retries and quarantined objects, failed runs, the predictor's version, recent error
and drift alarm, and evaluations of each search. It needs the right to read experience/, predictor/
and task/*/outcome.json, and to list the rest.
"""


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`store compact` and `store metrics`."""
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
    verb = own.add_parser(
        "metrics",
        parents=[shared],
        help="figures for Prometheus",
        description=METRICS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="serve the figures at http://HOST:N/metrics until stopped; without it print them once",
    )
    verb.set_defaults(run=run_metrics)


def run_compact(arguments: argparse.Namespace) -> None:
    """Pack the experience log."""
    done = compact(open_store(arguments.store), arguments.block_size)
    blocks = "1 block" if done.blocks == 1 else f"{done.blocks} blocks"
    show(
        arguments, done, f"Packed {done.packed} experiences into {blocks}; {done.loose} left loose."
    )


def run_metrics(arguments: argparse.Namespace) -> None:
    """Print the figures, or serve them."""
    from nasoa.cli.metrics_server import MetricsServer  # noqa: PLC0415
    from nasoa.steps.metrics import StoreMetrics  # noqa: PLC0415

    metrics = StoreMetrics(open_store(arguments.store))
    if arguments.port is None:
        text = metrics.text()
        show(arguments, {"metrics": text}, text)
        return
    with MetricsServer(metrics, arguments.port) as server:
        sys.stderr.write(f"figures at http://0.0.0.0:{server.server_port}/metrics\n")
        server.serve_forever()
