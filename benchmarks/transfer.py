"""Compare pretrained weights as users use them: linear heads, full fine-tunes, and time limits.

    python -m benchmarks.transfer run --data ../shared/data [--weights build/taught] [--shard 0 2]
    python -m benchmarks.transfer steps [--weights build/taught]
    python -m benchmarks.transfer report [--weights build/taught]

Each network of the package, and each in the folders of `--weights` (written by `export` or by
`scripts/pretrain_starter.py --output`), is fine-tuned on the meta-training data sets and on the
five test tasks of `benchmarks.starter`:

- linear: a head alone, fitted to all training images, at 64 and 96 px;
- full: all layers, ten epochs of at most 1,000 training images at 64 and 96 px, from the fitted
  head, with the better of two learning rates in validation;
- limit: `nasoa finetune --model NAME` in 15, 45 and 120 s, as a user runs it.

`run` adds a line for each to `benchmarks/results/transfer.jsonl` and skips lines that exist, so it
can be killed and run again, and divided into shards. A line names its weights by their digest, so
other weights are new lines. `steps` measures training steps, on a machine without other work.
`report` writes `benchmarks/results/transfer.json`, and `docs/transfer.md` with its plot: training
step time against transfer accuracy (Figure 4 of the paper). `export` writes the networks of a zoo
in a store into a folder for `--weights`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student_t

from benchmarks import nasoa_run
from benchmarks.machine import RESULTS, machine
from benchmarks.run_log import Row, RunLog, code_version
from benchmarks.search_report import standalone
from benchmarks.starter import TASKS
from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset, subset
from nasoa.errors import InvalidInput
from nasoa.offline.pareto import non_dominated_rank
from nasoa.online.collecting.meta_train import head_alone
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.tuning.finetune import finetune
from nasoa.online.tuning.job import Job
from nasoa.records import BN_ALL, Regime, ZooEntry, from_json, to_json
from nasoa.report.axes import Axes, round_ticks
from nasoa.steps.zoo import ADDED, load_zoo
from nasoa.store import open_store
from nasoa.store.zoo_versions import add_version
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.hardware import use_threads
from nasoa.training.loop import WorkCost
from nasoa.training.precision import precision_for
from nasoa.training.timing import TimedSteps
from nasoa.zoo.entries import Card, packaged_zoo
from nasoa.zoo.networks import load_network

LOG = RESULTS / "transfer.jsonl"
TODAY = "package"
RESOLUTIONS = (64, 96)
LIMITS_S = (15, 45, 120)
EPOCHS, MOST_IMAGES, MOST_TESTS, BATCH = 10, 1000, 1000, 32
LRS = (0.01, 0.05)
VAL_FRACTION = 0.15
STEP_BATCH, STEP_RESOLUTION, STEP_REPEATS = 64, 64, 10
SHIPS = 0.01
ENOUGH_S = 1e6
KEY = ("digest", "data", "kind", "size", "seed")


@dataclass(frozen=True)
class Weights:
    """A network with its weights.

    Args:
        source: "package", or the name of the folder.
        entry: its entry in a zoo.
        content: weights as a safetensors document.
    """

    source: str
    entry: ZooEntry
    content: bytes

    @property
    def digest(self) -> str:
        """Hash that names the weights in the log."""
        return hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Name in the tables."""
        name = self.entry.name
        return name if self.source == TODAY else f"{name} ({self.source})"


@dataclass(frozen=True)
class Measure:
    """One way to judge weights: "linear" or "full" at a resolution, or "limit" in seconds."""

    kind: str
    size: int

    @property
    def label(self) -> str:
        """Name in the tables."""
        return f"{self.kind} {self.size} {'s' if self.kind == 'limit' else 'px'}"


MEASURES = [
    *(Measure(kind, size) for kind, size in product(("linear", "full"), RESOLUTIONS)),
    *(Measure("limit", size) for size in LIMITS_S),
]


def main() -> None:
    """Run what is missing, measure steps, export a zoo, or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    runs.add_argument("--shard", type=int, nargs=2, default=(0, 1), metavar=("I", "K"))
    verbs.add_parser("steps", parents=[shared])
    reports = verbs.add_parser("report", parents=[shared])
    reports.add_argument("-o", "--output", type=Path, default=Path("docs"))
    exports = verbs.add_parser("export")
    exports.add_argument("--store", required=True)
    exports.add_argument("--zoo", default="searched", help="family of the networks")
    exports.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.verb == "export":
        export(arguments.store, arguments.zoo, arguments.output)
        return
    found = candidates(arguments.weights)
    log = RunLog(arguments.log, KEY)
    if arguments.verb == "report":
        report(found, log, arguments.output)
    elif arguments.verb == "steps":
        measure_steps(found, log)
    else:
        names = arguments.tasks or [*known_sets(), *TASKS]
        jobs = plan(found, names, arguments.kinds, arguments.seeds, arguments.models)
        index, shards = arguments.shard
        run(jobs[index::shards], arguments.data, log)


def known_sets() -> list[str]:
    """Return the meta-training data sets; one that is there at two sizes counts once."""
    return sorted({record.dataset.removesuffix("_224") for record in collected_runs()})


def candidates(folders: Sequence[Path] = ()) -> list[Weights]:
    """Return the networks of the package and of the folders.

    Raises:
        InvalidInput: a folder has no networks.
    """
    packaged = packaged_zoo().buildable()
    found = [
        Weights(TODAY, entry, packaged.weights(name)) for name, entry in packaged.entries.items()
    ]
    for folder in folders:
        paths = sorted(folder.glob("*.json"))
        if not paths:
            raise InvalidInput(
                f"expected networks (NAME.json and NAME.safetensors) in {folder}, got none; write "
                "them with scripts/pretrain_starter.py --output or benchmarks.transfer export"
            )
        for path in paths:
            card = from_json(path.read_bytes(), Card, str(path))
            content = path.with_suffix(".safetensors").read_bytes()
            found.append(Weights(folder.name, card.entry, content))
    return found


def export(store_uri: str, family: str, folder: Path) -> None:
    """Write the networks of one zoo of a store into a folder, as cards and weights."""
    zoo = load_zoo(open_store(store_uri))
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, entry in zoo.entries.items() if entry.family == family]
    for name in names:
        card = Card(entry=replace(zoo.entry(name), weights_sha256=""), note=f"Of {family}.")
        (folder / f"{name}.safetensors").write_bytes(zoo.weights(name))
        (folder / f"{name}.json").write_bytes(to_json(card))
    sys.stderr.write(f"{len(names)} networks in {folder}\n")


@dataclass(frozen=True)
class Judging:
    """One fine-tune to make."""

    weights: Weights
    data: str
    measure: Measure
    seed: int

    @property
    def key(self) -> Row:
        """The key fields of its line."""
        return {
            "digest": self.weights.digest,
            "data": self.data,
            "kind": self.measure.kind,
            "size": self.measure.size,
            "seed": self.seed,
        }


def plan(
    found: Sequence[Weights],
    names: Sequence[str],
    kinds: Sequence[str],
    seeds: Sequence[int],
    models: Sequence[str] | None = None,
) -> list[Judging]:
    """Return the fine-tunes of some kinds, the cheap kinds first.

    Raises:
        InvalidInput: a kind is unknown.
    """
    known = {measure.kind for measure in MEASURES}
    if not set(kinds) <= known:
        raise InvalidInput(f"expected kinds of {', '.join(sorted(known))}, got {', '.join(kinds)}")
    return [
        Judging(weights, data, measure, seed)
        for measure in MEASURES
        for seed, data, weights in product(seeds, names, found)
        if measure.kind in kinds and (models is None or weights.entry.name in models)
    ]


def run(jobs: Sequence[Judging], folder: Path, log: RunLog) -> None:
    """Make the fine-tunes that are not in the log."""
    use_threads(1)
    ways: dict[str, Callable[[Judging, Path], Row]] = {
        "linear": linear,
        "full": full,
        "limit": limited,
    }
    for job in jobs:
        if log.has(**job.key):
            continue
        started = _core_s(), time.perf_counter()
        values = ways[job.measure.kind](job, folder)
        spent = {
            "core_s": round(_core_s() - started[0], 2),
            "wall_s": round(time.perf_counter() - started[1], 2),
        }
        log.append({**job.key, **values, **spent, "code_version": code_version()})
        sys.stderr.write(f"{job.weights.label}: {log.rows[-1]}\n")


def _core_s() -> float:
    """Return the seconds of all cores that this process and its finished children took."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def linear(job: Judging, folder: Path) -> Row:
    """Fit a head to the features of all training images, and test it."""
    regime = head_alone(job.weights.entry.name, job.measure.size)
    accuracy, _val = tuned(job, regime, images(folder / f"{job.data}.zip", job))
    return {"accuracy": accuracy}


def full(job: Judging, folder: Path) -> Row:
    """Fine-tune all layers with each learning rate, and return the better one in validation."""
    data = images(folder / f"{job.data}.zip", job)
    found = []
    for lr in LRS:
        regime = Regime(
            model=job.weights.entry.name,
            lr=lr,
            frozen_stages=-1,
            iterations=max(1, EPOCHS * len(data.train) // BATCH),
            batch_size=BATCH,
            resolution=job.measure.size,
            lr_schedule="cosine",
            fills_limit=False,
            bn=BN_ALL,
            fitted_head=True,
        )
        accuracy, val_accuracy = tuned(job, regime, data)
        found.append((val_accuracy, accuracy, lr))
    _val, accuracy, lr = max(found)
    return {"accuracy": accuracy, "lr": lr}


def tuned(job: Judging, regime: Regime, data: ImageDataset) -> tuple[float, float]:
    """Fine-tune with a regime; return the accuracy on test and on validation images."""
    entry = job.weights.entry
    torch.manual_seed(job.seed)
    network = load_network(entry, job.weights.content, len(data.class_names))
    work = Job(
        network=network,
        data=data,
        regime=regime,
        entry=entry,
        mirror_safe=True,
        precision=precision_for(network),
        seed=job.seed,
    )
    result = finetune(work, Deadline(WallClock(), ENOUGH_S), WorkCost(0.0, 0.0))
    return result.accuracy, result.training.val_accuracy


def images(path: Path, job: Judging) -> ImageDataset:
    """Return a data set: all training images for a head, at most `MOST_IMAGES` for all layers."""
    most = MOST_IMAGES if job.measure.kind == "full" else None
    return _images(path, job.measure.size, job.seed, most)


@cache
def _images(path: Path, resolution: int, seed: int, most: int | None) -> ImageDataset:
    data = load_dataset(
        str(path), seed=seed, resolution=resolution, config=DataConfig(val_fraction=VAL_FRACTION)
    )
    count = len(data.class_names)
    return subset(
        data,
        range(count),
        np.random.default_rng(seed),
        per_class=max(1, most // count) if most else None,
        max_test=MOST_TESTS,
    )


def limited(job: Judging, folder: Path) -> Row:
    """Run `nasoa finetune` with this network alone in a time limit."""
    weights = job.weights
    with tempfile.TemporaryDirectory() as store:
        name = weights.entry.name
        if weights.source != TODAY:
            # An added network replaces the package's of the same name.
            add_version(open_store(store), ADDED, {name: (weights.entry, weights.content)})
        options = ("--model", name, "--store", store)
        done = nasoa_run.finetune(
            str(folder / f"{job.data}.zip"), job.measure.size, job.seed, options
        )
    row = done.row()
    return {name: row[name] for name in ("accuracy", "wall_s", "elapsed_s", "regime")}


def measure_steps(found: Sequence[Weights], log: RunLog) -> None:
    """Add a training step of each network, with one thread; a network is measured once."""
    use_threads(1)
    for weights in found:
        key = {
            "digest": weights.digest,
            "data": "",
            "kind": "step",
            "size": STEP_RESOLUTION,
            "seed": 0,
        }
        if log.has(**key):
            continue
        network = load_network(weights.entry, weights.content)
        precision = precision_for(network)
        precision.place(network)
        timed = TimedSteps(
            network,
            precision,
            frozen_stages=-1,
            resolution=STEP_RESOLUTION,
            batch_size=STEP_BATCH,
        )
        log.append({**key, "step_ms": round(1000 * timed.step_s(STEP_REPEATS), 2)})
        sys.stderr.write(f"{weights.label}: {log.rows[-1]}\n")


@dataclass(frozen=True)
class Judged:
    """The results of one network."""

    weights: Weights
    step_ms: float | None
    accuracies: Mapping[Measure, Mapping[str, float]]

    def mean(self, measure: Measure, names: Sequence[str]) -> float | None:
        """Return the mean accuracy over data sets, or None if one is missing."""
        known = self.accuracies[measure]
        if not set(names) <= set(known):
            return None
        return statistics.fmean(known[name] for name in names)


def report(found: Sequence[Weights], log: RunLog, output: Path) -> None:
    """Write the JSON, the page and the plot."""
    judged = [_judged(weights, log) for weights in found]
    groups = {"known": known_sets(), "unseen": list(TASKS)}
    document: dict[str, Any] = {
        "machine": machine(["torch", "torchvision", "scikit-learn"]),
        "step": {"batch": STEP_BATCH, "resolution": STEP_RESOLUTION, "threads": 1},
        "core_hours": round(sum(row.get("core_s", 0.0) for row in log.rows) / 3600, 2),
        "networks": [_summary(one, groups) for one in judged],
        "differences": differences(judged, groups),
        "runs": log.rows,
    }
    (RESULTS / "transfer.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "transfer.md").write_text(page(document), encoding="utf-8")
    (output / "transfer.svg").write_text(standalone(plot(document)), encoding="utf-8")


def _judged(weights: Weights, log: RunLog) -> Judged:
    own = [row for row in log.rows if row["digest"] == weights.digest]
    accuracies: dict[Measure, dict[str, float]] = {}
    for measure in MEASURES:
        by_data: dict[str, list[float]] = {}
        for row in own:
            if (row["kind"], row["size"]) == (measure.kind, measure.size):
                by_data.setdefault(row["data"], []).append(row["accuracy"])
        accuracies[measure] = {name: statistics.fmean(all_) for name, all_ in by_data.items()}
    steps = [row["step_ms"] for row in own if row["kind"] == "step"]
    return Judged(weights, steps[0] if steps else None, accuracies)


def _summary(one: Judged, groups: Mapping[str, Sequence[str]]) -> Row:
    entry = one.weights.entry
    return {
        "label": one.weights.label,
        "model": entry.name,
        "weights": one.weights.source,
        "digest": one.weights.digest,
        "encoding": entry.encoding or entry.builder,
        "source": entry.source,
        "source_accuracy": entry.source_accuracy,
        "step_ms": one.step_ms,
        "num_params": entry.num_params,
        "accuracy": {
            group: {measure.label: one.mean(measure, names) for measure in MEASURES}
            for group, names in groups.items()
        },
    }


def differences(judged: Sequence[Judged], groups: Mapping[str, Sequence[str]]) -> list[Row]:
    """Compare each network from a folder with the package's of the same name.

    The difference is the mean over data sets, with a 95 % interval by Student's t. `ships` is
    whether it is at least .01 on average over linear and full fine-tunes of the known sets.
    """
    today = {one.weights.entry.name: one for one in judged if one.weights.source == TODAY}
    rows = []
    for one in judged:
        before = today.get(one.weights.entry.name)
        if before is None or one.weights.source == TODAY:
            continue
        row: Row = {"label": one.weights.label, "model": one.weights.entry.name}
        gains: list[float] = []
        for (group, names), measure in product(groups.items(), MEASURES):
            new, old = one.accuracies[measure], before.accuracies[measure]
            both = [new[name] - old[name] for name in names if name in new and name in old]
            if len(both) < len(names):
                continue
            mean, low, high = interval(both)
            row[f"{group}, {measure.label}"] = [round(value, 4) for value in (mean, low, high)]
            if group == "known" and measure.kind != "limit":
                gains.append(mean)
        if gains:
            row["mean"] = round(statistics.fmean(gains), 4)
            row["ships"] = row["mean"] >= SHIPS
        rows.append(row)
    return rows


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval by Student's t."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return mean, mean - half, mean + half


def page(document: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD.format(**document)]
    titles = {"known": "## On the meta-training data sets", "unseen": "## On the five test tasks"}
    labels = [measure.label for measure in MEASURES]
    ordered = sorted(document["networks"], key=lambda row: row["step_ms"] or float("inf"))
    for group, title in titles.items():
        shown = [x for x in labels if any(row["accuracy"][group][x] for row in ordered)]
        lines += ["", title, "", f"| network | step ms | source | {' | '.join(shown)} |"]
        lines += ["| --- | --- | --- |" + " --- |" * len(shown)]
        for row in ordered:
            cells = [_cell(row["accuracy"][group][label]) for label in shown]
            step = "" if row["step_ms"] is None else f"{row['step_ms']:.1f}"
            source = f"{row['source']} {row['source_accuracy']:.3f}"
            lines.append(f"| {row['label']} | {step} | {source} | {' | '.join(cells)} |")
    lines += ["", PLOT]
    if document["differences"]:
        lines += ["", DIFFERENCES, ""]
        for row in document["differences"]:
            told = [
                f"{name} {value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"
                for name, value in row.items()
                if isinstance(value, list)
            ]
            verdict = "" if "ships" not in row else _verdict(row)
            lines.append(f"- {row['label']}: {verdict}{'; '.join(told)}.")
    return "\n".join(lines) + "\n"


def _verdict(row: Row) -> str:
    return f"{row['mean']:+.3f} on average, {'ships' if row['ships'] else 'does not ship'}; "


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def plot(document: Mapping[str, Any]) -> str:
    """Draw step time against the mean accuracy of full fine-tunes at 64 px on the known sets."""
    rows = [
        (row["label"], row["step_ms"], row["accuracy"]["known"][PLOTTED.label])
        for row in document["networks"]
    ]
    known = [(label, step, value) for label, step, value in rows if step and value]
    axes = Axes(720, 400)
    longest = 1.25 * max((step for _, step, _ in known), default=1.0)
    ranks = non_dominated_rank(np.array([(s, -v) for _, s, v in known]).reshape(len(known), 2))
    on_front = [one for one, rank in zip(known, ranks.tolist(), strict=True) if rank == 0]
    before, after = axes.draw(
        title="Transfer accuracy against training step time",
        described=f"{len(known)} networks, {len(on_front)} on the front",
        x_title=f"training step in ms (batch {STEP_BATCH}, {STEP_RESOLUTION} px, one thread)",
        y_title="mean accuracy after fine-tuning",
        ticks=round_ticks(longest),
    )
    place = partial(_place, axes, longest)
    line = " ".join(
        f"{x:.1f},{y:.1f}" for x, y in map(place, sorted(on_front, key=lambda one: one[1]))
    )
    marks = [f'<polyline class="curve" points="{line}"/>']
    for one in known:
        x, y = place(one)
        kind = "dot" if one in on_front else "dot pale"
        marks.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{one[0]}</text>'
        )
    return before + "".join(marks) + after


def _place(axes: Axes, longest: float, one: tuple[str, float, float]) -> tuple[float, float]:
    return axes.x(one[1] / longest), axes.y(one[2])


PLOTTED = Measure("full", 64)
HEAD = """# How well the networks transfer

Written by `python -m benchmarks.transfer report` from
[its runs](../benchmarks/results/transfer.json), {core_hours} core-hours. A step is one of training
on a batch of {step[batch]} images of {step[resolution]} px with one thread. "linear" is a head
alone, "full" ten epochs of all layers, "limit" `nasoa finetune --model` within a time limit. The
figures are mean accuracies on test images."""
PLOT = """![Transfer accuracy against training step time](transfer.svg)"""
DIFFERENCES = """## Against the weights of the package

Differences of mean accuracies over data sets, with 95 % intervals. Weights ship if the difference
on the meta-training sets, averaged over linear heads and full fine-tunes, is at least 0.01."""


if __name__ == "__main__":
    main()
