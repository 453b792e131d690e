"""Compare signals that tell good architectures from bad ones, and their cost, with long trainings.

    python -m benchmarks.search_signals run --data tinyimagenet200.zip --shard 0 2
    python -m benchmarks.search_signals run --data tinyimagenet200.zip --shard 1 2
    python -m benchmarks.search_signals report

Architectures are sampled from the small block space. Start one process for each core with
`--shard`: each uses one thread, adds a line for each training to its own file,
`benchmarks/results/search_signals.I.jsonl`, and skips lines that any file has. So it can be killed
at any time and run again, also with another number of processes. A training that ran out of time or
memory has no line, and is tried again by the next run. `report` writes
`benchmarks/results/search_signals.json` and `docs/search-signals.md`.

On 60 architectures, three seeds each:

- long: the mean accuracy that a signal should predict. 60 classes, 10 epochs: three times as many
  classes and one and a half times as many steps as `full`. Its seeds are its own, so that it shares
  no initial weights with a signal. It is a longer proxy, not the pretraining of a zoo.
- compressed: today's proxy, 20 classes and 5 epochs; by accuracy and by validation loss.
- teacher: as many epochs, learning EfficientNet-Lite0's outputs at 128 px.
- teacher_large: the same with EfficientNet-Lite2 at 224 px. A teacher's crops are drawn once, as in
  a search, so all seeds share them.
- synflow, naswot, jacobian: scores without training.

On 103 architectures, as many as the paper checked its early stop with (7.3.1), one seed each:

- full: the preset's 20 classes and 20 epochs, which an early stop should predict.
- stopped_tenth: the paper's early stop, after a tenth of the epochs. With the same seed it is the
  beginning of the same training, as in the paper, and so is stopped, after a quarter, on 60
  architectures. Both share initial weights and batches with `full` on purpose.
- compressed: see above, with the initial weights of `full`, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.machine import RESULTS, code_version
from benchmarks.proxy_trainings import SMALL, ProxyTrainings
from benchmarks.refusal import in_one_line
from benchmarks.run_log import Row, RunLog
from benchmarks.shards import Shard, add_shard, shard_log, share
from benchmarks.signal_report import PROXY_OF, report
from benchmarks.training_free import TRAINING_FREE
from nasoa.arch import ArchSpec, build_network, measure_cost, parse
from nasoa.errors import TrainingFailed
from nasoa.offline.space import BlockSpace

LOG = RESULTS / "search_signals.jsonl"
KEY = ("encoding", "kind", "seed")
MOST_MACS = 30e6  # as by the time limit of the small search: larger ones are not trained
NUM_FULL, NUM_LONG = 103, 60
SEEDS = (0, 1, 2)
LONG_SEEDS = (10, 11, 12)
SAMPLE_SEED = 11
KINDS = {
    "compressed": replace(SMALL, signal="loss"),
    "stopped": replace(SMALL, signal="loss", early_stop="stopped"),
    "stopped_tenth": replace(SMALL, signal="loss", early_stop="stopped", stop_share=0.1),
    "teacher": replace(
        SMALL, signal="teacher", teacher="efficientnet-lite0", teacher_resolution=128
    ),
    "teacher_large": replace(
        SMALL, signal="teacher", teacher="efficientnet-lite2", teacher_resolution=224
    ),
    "full": replace(SMALL, signal="loss", stop_share=1.0),
    "long": replace(SMALL, signal="loss", num_classes=60, epochs=10, stop_share=1.0),
}
TEACHERS = [kind for kind, config in KINDS.items() if config.signal == "teacher"]
COUNTED = ("macs", "params")  # have no seed


def main() -> None:
    """Make the missing trainings, or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--data", required=True)
    add_shard(runs)
    runs.add_argument("--log", type=Path, default=LOG)
    reports = verbs.add_parser("report")
    reports.add_argument("--log", type=Path, default=LOG)
    reports.add_argument("-o", "--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    with in_one_line(parser):
        if arguments.verb == "report":
            specs = [str(spec) for spec in architectures(NUM_FULL)]
            report(shard_log(arguments.log, KEY).rows, specs, arguments.output, settings())
            return
        log = shard_log(arguments.log, KEY, arguments.shard)
        failed = run(ProxyTrainings(arguments.data), arguments.shard, log)
    sys.exit(1 if failed else 0)


def settings() -> Row:
    """Return what a report says about the trainings: seeds, classes and trained epochs."""
    return {
        "sample_seed": SAMPLE_SEED,
        "seeds": SEEDS,
        "long_seeds": LONG_SEEDS,
        "trainings": {
            kind: {"classes": config.num_classes, "epochs": config.epochs * config.stop_share}
            for kind, config in KINDS.items()
        },
    }


@cache
def architectures(count: int) -> list[ArchSpec]:
    """Return the first of a fixed sample of architectures that are not too large."""
    rng, space = np.random.default_rng(SAMPLE_SEED), BlockSpace.small()
    found: dict[ArchSpec, None] = {}
    while len(found) < count:
        spec = space.sample(rng)
        if measure_cost(build_network(spec, SMALL.num_classes), SMALL.resolution).macs <= MOST_MACS:
            found.setdefault(spec)
    return list(found)


def plan() -> list[Row]:
    """Return the key fields of all lines, cheap ones of each architecture first."""
    found = []
    scores = [name for name in TRAINING_FREE if name not in COUNTED]
    for index, spec in enumerate(architectures(NUM_FULL)):
        jobs = [(name, 0) for name in TRAINING_FREE]
        jobs += [("stopped_tenth", 0), ("compressed", 0), ("full", 0)]
        if index < NUM_LONG:
            others = [(name, seed) for name in (*scores, "compressed") for seed in SEEDS[1:]]
            taught = [(kind, seed) for kind in TEACHERS for seed in SEEDS]
            jobs += [*others, ("stopped", 0), *taught, *(("long", seed) for seed in LONG_SEEDS)]
        found += [{"encoding": str(spec), "kind": kind, "seed": seed} for kind, seed in jobs]
    return found


def run(trainings: ProxyTrainings, shard: Shard, log: RunLog) -> int:
    """Make the lines of a shard that are not in the log; return how many trainings failed."""
    own = {str(spec) for spec in share(architectures(NUM_FULL), shard)}
    if shard[0] == 0:
        _describe(trainings, log)
    failed = 0
    for key in plan():
        if key["encoding"] not in own or log.has(**key):
            continue
        try:
            values = made(trainings, key)
        except TrainingFailed as error:
            failed += 1
            sys.stderr.write(f"{error}\n")
            continue
        log.append({**key, **values, "code_version": code_version()})
        sys.stderr.write(f"{log.rows[-1]}\n")
    return failed


def _describe(trainings: ProxyTrainings, log: RunLog) -> None:
    """Add the lines that are of no architecture: the images of proxies, and the teachers' costs."""
    ways = [(PROXY_OF, kind, trainings.proxy_size) for kind in KINDS]
    ways += [("cost of ", kind, trainings.teacher_cost) for kind in TEACHERS]
    for what, kind, values in ways:
        key = {"encoding": "", "kind": f"{what}{kind}", "seed": 0}
        if not log.has(**key):
            log.append({**key, **values(KINDS[kind])})


def made(trainings: ProxyTrainings, key: Row) -> Row:
    """Return the values of a line: of a training, or of a score without training."""
    spec, kind, seed = parse(key["encoding"]), key["kind"], key["seed"]
    if kind in TRAINING_FREE:
        return trainings.score(kind, spec, SMALL, seed)
    return trainings.train(spec, KINDS[kind], seed)


if __name__ == "__main__":
    main()
