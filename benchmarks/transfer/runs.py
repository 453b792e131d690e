"""Fine-tunes of a network as users would make them, and the time of its training step."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks import nasoa_run
from benchmarks.machine import code_version
from benchmarks.run_log import Row, RunLog
from benchmarks.transfer.plan import RESOLUTIONS, Judging
from benchmarks.transfer.weights import TODAY, Weights
from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset, subset
from nasoa.online.collecting.meta_train import head_alone
from nasoa.online.tuning.finetune import finetune
from nasoa.online.tuning.job import Job
from nasoa.records import BN_ALL, Regime
from nasoa.steps.zoo import ADDED
from nasoa.store import open_store
from nasoa.store.zoo_versions import add_version
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.hardware import use_threads
from nasoa.training.precision import precision_for
from nasoa.training.run import WorkCost
from nasoa.training.timing import TimedSteps
from nasoa.zoo.networks import load_network

EPOCHS, MOST_IMAGES, MOST_TESTS, BATCH = 10, 1000, 1000, 32
LRS = (0.01, 0.05)
VAL_FRACTION = 0.15
STEP_BATCH, STEP_REPEATS = 64, 10
ENOUGH_S = 1e6


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
        found.append({"accuracy": accuracy, "val_accuracy": val_accuracy, "lr": lr})
    return chosen(found)


def chosen(trainings: Sequence[Row]) -> Row:
    """Return the best training in validation; of equal ones, that of the lowest learning rate."""
    return max(trainings, key=lambda row: (row["val_accuracy"], -row["lr"]))


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
    """Add training steps of each network, with one thread; each is measured once."""
    use_threads(1)
    for weights, resolution in product(found, RESOLUTIONS):
        key = {
            "digest": weights.digest,
            "data": "",
            "kind": "step",
            "size": resolution,
            "seed": 0,
        }
        if log.has(**key):
            continue
        network = load_network(weights.entry, weights.content)
        timed = TimedSteps(
            network,
            frozen_stages=-1,
            resolution=resolution,
            batch_size=STEP_BATCH,
        )
        log.append({**key, "step_ms": round(1000 * timed.step_s(STEP_REPEATS), 2)})
        sys.stderr.write(f"{weights.label}: {log.rows[-1]}\n")
