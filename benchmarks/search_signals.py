"""Compare signals that tell good architectures from bad ones, and their cost, with long trainings.

    python -m benchmarks.search_signals run --data tinyimagenet200.zip [--shard 0 2]
    python -m benchmarks.search_signals report

Architectures are sampled from the small block space. `run` adds a line for each training to
`benchmarks/results/search_signals.jsonl`, in one process with one thread, and skips lines that
exist, so it can be killed and run again, and divided into shards. `report` writes
`benchmarks/results/search_signals.json` and `docs/search-signals.md`.

- long: 60 classes, 12 epochs, three seeds: the mean accuracy that a signal should predict.
- full: the preset's 20 classes and 20 epochs, which an early stop should predict.
- compressed, stopped: its early stops, by accuracy and by validation loss.
- teacher: as many epochs as compressed, learning EfficientNet-Lite0's outputs at 128 px.
- teacher_large: the same with EfficientNet-Lite2 at 224 px.
- free: scores of networks that were not trained.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from benchmarks.machine import RESULTS, machine, write
from benchmarks.run_log import Row, RunLog, code_version
from benchmarks.training_free import jacobian_covariance, naswot, synflow
from nasoa.arch import ArchSpec, StagedNetwork, build_network, measure_cost, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.data.augment import to_float
from nasoa.offline.evaluate import load_proxy, teach, train
from nasoa.offline.space import BlockSpace
from nasoa.offline.teacher_features import Lesson
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD

Array = NDArray[np.float64]

LOG = RESULTS / "search_signals.jsonl"
MOST_MACS = 30e6  # as by the time limit of the small search: larger ones are not trained
NUM_FULL, NUM_LONG = 103, 60  # 103 as the paper's early stop was checked with (7.3.1)
SEEDS = (0, 1, 2)
SAMPLE_SEED = 11
IMAGES = 32  # images for training-free scores
RESAMPLED = 2000
SMALL = EvaluateConfig.small()
KINDS = {
    "compressed": replace(SMALL, signal="loss"),
    "stopped": replace(SMALL, signal="loss", early_stop="stopped"),
    "stopped_tenth": replace(SMALL, signal="loss", early_stop="stopped", stop_share=0.1),
    "teacher": replace(
        SMALL, signal="teacher", teacher="efficientnet-lite0", teacher_resolution=128
    ),
    "teacher_large": replace(SMALL, signal="teacher"),
    "full": replace(SMALL, signal="loss", stop_share=1.0),
    "long": replace(SMALL, signal="loss", num_classes=60, epochs=12, stop_share=1.0),
}
TWICE = ("compressed", "teacher")  # trained with two seeds


@dataclass(frozen=True)
class Signal:
    """A signal: a kind of rows, which of their values, and how many seeds are averaged."""

    kind: str
    value: str
    seeds: int = 1


SIGNALS = {
    "accuracy": Signal("compressed", "accuracy"),
    "accuracy, two seeds": Signal("compressed", "accuracy", 2),
    "loss": Signal("compressed", "score"),
    "loss, two seeds": Signal("compressed", "score", 2),
    "accuracy, stopped at a quarter": Signal("stopped", "accuracy"),
    "loss, stopped at a quarter": Signal("stopped", "score"),
    "accuracy, stopped at a tenth": Signal("stopped_tenth", "accuracy"),
    "loss, stopped at a tenth": Signal("stopped_tenth", "score"),
    "teacher": Signal("teacher", "score"),
    "teacher, two seeds": Signal("teacher", "score", 2),
    "teacher at 224 px": Signal("teacher_large", "score"),
    "teacher, same class": Signal("teacher", "accuracy"),
    "synflow": Signal("free", "synflow"),
    "naswot": Signal("free", "naswot"),
    "jacobian covariance": Signal("free", "jacobian"),
    "multiply-accumulates": Signal("free", "macs"),
    "parameters": Signal("free", "params"),
}


def main() -> None:
    """Run the missing trainings, or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--data", required=True)
    runs.add_argument("--shard", type=int, nargs=2, default=(0, 1), metavar=("I", "K"))
    runs.add_argument("--log", type=Path, default=LOG)
    reports = verbs.add_parser("report")
    reports.add_argument("--log", type=Path, default=LOG)
    reports.add_argument("-o", "--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    if arguments.verb == "run":
        run(arguments.data, tuple(arguments.shard), arguments.log)
    else:
        report(arguments.log, arguments.output)


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
    """Return the key fields of all trainings, cheap ones of each architecture first."""
    found = []
    for index, spec in enumerate(architectures(NUM_FULL)):
        jobs = [("free", 0), ("stopped", 0), ("stopped_tenth", 0), ("compressed", 0), ("full", 0)]
        if index < NUM_LONG:
            jobs += [("teacher", 0), ("teacher_large", 0), *((kind, 1) for kind in TWICE)]
            jobs += [("long", seed) for seed in SEEDS]
        found += [{"encoding": str(spec), "kind": kind, "seed": seed} for kind, seed in jobs]
    return found


def run(data: str, shard: tuple[int, int], path: Path) -> None:
    """Run the trainings of a shard that are not in the log."""
    torch.set_num_threads(1)
    log = RunLog(path, ("encoding", "kind", "seed"))
    index, shards = shard
    by_architecture = {str(spec): i for i, spec in enumerate(architectures(NUM_FULL))}
    made = make_of(data)
    for key in plan():
        if by_architecture[key["encoding"]] % shards != index or log.has(**key):
            continue
        started = time.process_time()
        values = made(parse(key["encoding"]), str(key["kind"]), int(key["seed"]))
        seconds = round(time.process_time() - started, 2)
        log.append({**key, **values, "core_s": seconds, "code_version": code_version()})
        sys.stderr.write(f"{log.rows[-1]}\n")


def make_of(data: str) -> Callable[[ArchSpec, str, int], Row]:
    """Return a function of architecture, kind and seed that returns values."""

    @cache
    def proxy(kind: str) -> ImageDataset:
        return load_proxy(data, KINDS[kind])

    @cache
    def lesson(kind: str) -> Lesson:
        found = teach(proxy(kind), KINDS[kind])
        # Its cost is reported separately: it is computed once for all architectures.
        for view in range(found.views):
            for indices in torch.arange(len(found.data.train)).split(64):
                images = found.data.train.images(indices)
                found.of_views(images, torch.full_like(indices, view), indices)
        return found

    def make(spec: ArchSpec, kind: str, seed: int) -> Row:
        if kind == "free":
            return free(spec, proxy("compressed"))
        taught = lesson(kind) if KINDS[kind].signal == "teacher" else None
        trained = train(spec, proxy(kind), KINDS[kind], seed=seed, lesson=taught)
        return {"accuracy": trained.accuracy, "score": trained.score, "failure": trained.failure}

    return make


def free(spec: ArchSpec, data: ImageDataset) -> Row:
    """Compute the scores of an architecture with fresh weights."""

    def fresh() -> StagedNetwork:
        torch.manual_seed(0)
        return build_network(spec, len(data.class_names))

    cost = measure_cost(build_network(spec, len(data.class_names)), SMALL.resolution)
    images = to_float(data.train.images(torch.arange(IMAGES)), SMALL.resolution)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    placed = (images - mean[:, None, None]) / std[:, None, None]
    return {
        "synflow": synflow(fresh(), SMALL.resolution),
        "naswot": naswot(fresh(), placed),
        "jacobian": jacobian_covariance(fresh(), placed),
        "macs": cost.macs,
        "params": cost.params,
    }


def report(path: Path, output: Path) -> None:
    """Write the results and the page."""
    log = RunLog(path, ("encoding", "kind", "seed"))
    values = {(r["encoding"], r["kind"], r["seed"]): r for r in log.rows}
    specs = [str(spec) for spec in architectures(NUM_FULL)]

    def of(signal: Signal) -> Array:
        """Return `(n,)` values of all architectures; NaN if a training is missing or failed."""
        rows = [[values.get((s, signal.kind, i)) for i in range(signal.seeds)] for s in specs]
        found = [[np.nan if r is None else r[signal.value] for r in own] for own in rows]
        return np.asarray(np.array(found, dtype=np.float64).mean(axis=1))

    def seconds(signal: Signal) -> float:
        own = [r["core_s"] for r in log.rows if r["kind"] == signal.kind]
        return signal.seeds * float(np.median(own)) if own else float("nan")

    long, full = of(Signal("long", "accuracy", len(SEEDS))), of(Signal("full", "accuracy"))
    rows = []
    for name, signal in SIGNALS.items():
        found = of(signal)
        for target, reached in (("long", long), ("full", full)):
            known = np.isfinite(found) & np.isfinite(reached)
            if known.sum() < 10:
                continue
            rho, low, high = correlation(found[known], reached[known])
            rows.append(
                {
                    "signal": name,
                    "target": target,
                    "architectures": int(known.sum()),
                    "spearman": round(rho, 3),
                    "interval": [round(low, 3), round(high, 3)],
                    "core_s": round(seconds(signal), 2),
                    "per_core_s": round(rho / max(seconds(signal), 0.01), 4),
                }
            )
    document: dict[str, object] = {
        "rows": rows,
        "trainings": len(log.rows),
        "core_hours": round(sum(r["core_s"] for r in log.rows) / 3600, 2),
        "machine": machine(["torch"]),
        "sample_seed": SAMPLE_SEED,
    }
    write(document, RESULTS / "search_signals.json")
    (output / "search-signals.md").write_text(page(rows, document), encoding="utf-8")


def correlation(one: Array, other: Array) -> tuple[float, float, float]:
    """Compute Spearman's rank correlation, and a 95 % interval by resampling architectures."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(one), size=(RESAMPLED, len(one)))
    found = [np.corrcoef(rankdata(one[i]), rankdata(other[i]))[0, 1] for i in drawn]
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(spearmanr(one, other).statistic), float(low), float(high)


def page(rows: list[Row], document: dict[str, object]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD.format(**document)]
    titles = {
        "long": "## Against long trainings of 60 classes, three seeds averaged",
        "full": "## Against the preset's full training, one seed",
    }
    for target, title in titles.items():
        own = sorted((r for r in rows if r["target"] == target), key=lambda r: -r["spearman"])
        lines += ["", title, ""]
        lines += [
            "| signal | architectures | Spearman | 95 % interval | core-seconds | per core-second |"
        ]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {r['signal']} | {r['architectures']} | {r['spearman']:.3f} | "
            f"{r['interval'][0]:.3f} to {r['interval'][1]:.3f} | {r['core_s']:.1f} | "
            f"{r['per_core_s']:.4f} |"
            for r in own
        ]
    return "\n".join(lines) + "\n"


HEAD = """# Signals that tell good architectures from bad ones

Written by `python -m benchmarks.search_signals report` from
[{trainings} trainings](../benchmarks/results/search_signals.jsonl), {core_hours} core-hours.
Architectures are a sample of the small block space. The value of a signal is its rank correlation
with long trainings, for the core-seconds that an architecture takes; those that a teacher takes
once, for all architectures, are not counted."""


if __name__ == "__main__":
    main()
