"""`nasoa store`: maintenance and metrics of a store."""

from __future__ import annotations

import argparse
import sys

from nasoa.cli.output import Subparsers, show, work_bars
from nasoa.store import open_store
from nasoa.store.compaction import BLOCK_SIZE

COMPACT_HELP = """\
Keep a store small and intact; run this regularly (each hour, each night). It is safe to stop it, or
to run it several times at once, while tasks are running.

- Finished fine-tunes of the experience log are packed into blocks, the oldest first. On S3, a block
  takes one request to read, a thousand loose experiences take a thousand.
- Damaged experiences are moved to experience/quarantine/, and named.
- Of a predictor's versions, the newest 100 are kept; of those before, every tenth back to the
  thousandth, every hundredth back to the ten-thousandth, and so on. Of the others, only what they
  learned, and with which errors, is kept (nasoa predictor show --version N).
- Checkpoints of tasks that have ended, or have not continued for a week, are removed; in a folder,
  so are temporary files of killed processes.

It needs permission to write and delete under experience/ and predictor/, and to read and delete
under checkpoint/; without permission for one of the last two, it does the rest.
"""
METRICS_HELP = """\
Metrics of the store in Prometheus' text format: finished, late and failed tasks, durations of
steps, retries, quarantined objects, failed runs, the predictor's version, recent error and drift
alarm, and evaluations of each search. It needs permission to read experience/, predictor/ and
task/*/outcome.json, and to list the rest.
"""


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `store compact` and `store metrics`."""
    group = verbs.add_parser("store", help="maintenance and metrics of the store")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = own.add_parser(
        "compact",
        parents=[shared],
        help="keep the store small and intact",
        description=COMPACT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "--block-size",
        type=int,
        default=BLOCK_SIZE,
        metavar="N",
        help=f"experiences per block; fewer than that stay loose (default: {BLOCK_SIZE})",
    )
    verb.set_defaults(run=run_compact)
    verb = own.add_parser(
        "metrics",
        parents=[shared],
        help="metrics for Prometheus",
        description=METRICS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="serve the metrics at http://HOST:N/metrics until stopped (default: print them once)",
    )
    verb.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve on, like 0.0.0.0 in a container (default: this machine only)",
    )
    verb.set_defaults(run=run_metrics)


def run_compact(arguments: argparse.Namespace) -> None:
    """Pack the experience log, and delete what is no longer needed."""
    from nasoa.store.maintenance import care  # noqa: PLC0415  (imports numpy)

    with work_bars():
        done = care(open_store(arguments.store), arguments.block_size)
    blocks = "1 block" if done.blocks == 1 else f"{done.blocks} blocks"
    lines = [f"Packed {done.packed} experiences into {blocks}; {done.loose} left loose."]
    if done.versions:
        lines.append(f"Removed {done.versions} older versions of predictors.")
    if done.checkpoints:
        lines.append(f"Removed {done.checkpoints} checkpoints of ended or abandoned tasks.")
    if done.partial_files:
        lines.append(f"Removed {done.partial_files} temporary files of killed processes.")
    if done.quarantined:
        lines.append("Moved damaged experiences out of the log: " + ", ".join(done.quarantined))
    show(arguments, done, "\n".join(lines))


def run_metrics(arguments: argparse.Namespace) -> None:
    """Print the metrics, or serve them."""
    from nasoa.cli.metrics_server import MetricsServer  # noqa: PLC0415
    from nasoa.steps.metrics import StoreMetrics  # noqa: PLC0415

    metrics = StoreMetrics(open_store(arguments.store))
    if arguments.port is None:
        with work_bars():
            text = metrics.text()
        show(arguments, {"metrics": text}, text)
        return
    with MetricsServer(metrics, arguments.port, arguments.host) as server:
        sys.stderr.write(f"metrics at http://{arguments.host}:{server.server_port}/metrics\n")
        server.serve_forever()
