"""`nasoa store`: care for the store itself."""

from __future__ import annotations

import argparse
import sys

from nasoa.cli.output import Subparsers, show
from nasoa.store import open_store
from nasoa.store.compaction import BLOCK_SIZE

COMPACT_HELP = """\
Keep a store small and whole; run it at intervals (each hour, each night). Nothing is lost if it is
stopped, or if several run while tasks end.

- Finished fine-tunes of the experience log, the oldest first, are packed into blocks of many. Over
  S3 a block is one request to read, a thousand loose ones are a thousand.
- Damaged ones are moved to experience/quarantine/, and named.
- Of a predictor's versions the newest 100 are kept, every tenth of those back to the thousandth,
  every hundredth of those back to the ten-thousandth, and so on. What the others learned, and with
  which errors, stays known (nasoa predictor show --version N).
- Checkpoints of tasks that have ended, or stood still for a week, are removed; in a folder, what
  killed processes left as well.

It needs the right to write and delete under experience/ and predictor/, and to read and delete
under checkpoint/; where that of the last two is not there, it does the rest.
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
        help="keep the store small and whole",
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
    """Pack, thin out and sweep."""
    from nasoa.store.care import care  # noqa: PLC0415  (imports numpy)

    done = care(open_store(arguments.store), arguments.block_size)
    blocks = "1 block" if done.blocks == 1 else f"{done.blocks} blocks"
    lines = [f"Packed {done.packed} experiences into {blocks}; {done.loose} left loose."]
    if done.versions:
        lines.append(f"Removed {done.versions} older versions of predictors.")
    if done.checkpoints:
        lines.append(f"Removed {done.checkpoints} checkpoints of tasks that go on no more.")
    if done.partial_files:
        lines.append(f"Removed {done.partial_files} files that killed processes left.")
    if done.quarantined:
        lines.append("Damaged, and out of the log now: " + ", ".join(done.quarantined))
    show(arguments, done, "\n".join(lines))


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
