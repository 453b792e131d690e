"""The command line; the package's docstring explains it."""

from __future__ import annotations

import argparse
from pathlib import Path

import benchmarks.transfer as package
from benchmarks.machine import RESULTS
from benchmarks.refusal import in_one_line
from benchmarks.shards import WHOLE, add_shard, shard_log, share
from benchmarks.transfer.plan import KEY, TIMED, plan
from benchmarks.transfer.report import report
from benchmarks.transfer.runs import measure_steps, run
from benchmarks.transfer.weights import candidates, export

LOG = RESULTS / "transfer.jsonl"


def main() -> None:
    """Run what is missing, measure steps, export a zoo, or report."""
    parser = argparse.ArgumentParser(description=package.__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--weights", type=Path, nargs="+", default=[], metavar="FOLDER")
    shared.add_argument("--log", type=Path, default=LOG)
    runs = verbs.add_parser("run", parents=[shared])
    runs.add_argument("--data", type=Path, required=True, help="the folder with the archives")
    runs.add_argument("--kinds", nargs="+", default=["linear", "full"], metavar="KIND")
    runs.add_argument("--seeds", type=int, nargs="+", default=[0])
    runs.add_argument("--models", nargs="+", help="only networks of these names")
    runs.add_argument("--tasks", nargs="+", help="only these data sets")
    add_shard(runs)
    verbs.add_parser("steps", parents=[shared])
    reports = verbs.add_parser("report", parents=[shared])
    reports.add_argument("-o", "--output", type=Path, default=Path("docs"))
    exports = verbs.add_parser("export")
    exports.add_argument("--store", required=True)
    exports.add_argument("--zoo", default="searched", help="family of the networks")
    exports.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.verb == "run" and arguments.shard != WHOLE and set(arguments.kinds) & set(TIMED):
        parser.error(
            f"expected no --shard for --kinds {' '.join(TIMED)}, which measures time: run it in "
            "one process, while nothing else runs on the machine"
        )
    with in_one_line(parser):
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.verb == "export":
        export(arguments.store, arguments.zoo, arguments.output)
        return
    found = candidates(arguments.weights)
    shard = getattr(arguments, "shard", WHOLE)
    log = shard_log(arguments.log, KEY, shard)
    if arguments.verb == "report":
        report(found, log, arguments.output)
    elif arguments.verb == "steps":
        measure_steps(found, log)
    else:
        jobs = plan(found, arguments.tasks, arguments.kinds, arguments.seeds, arguments.models)
        run(share(jobs, shard), arguments.data, log)


if __name__ == "__main__":
    main()
