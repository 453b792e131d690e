"""One run of `benchmarks.speed`: train from image files on one side, and print the images a second.

python -m benchmarks.speed_run FOLDER --side "nasoa warm" --network ET-NAS-C --depth 3
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import torch

from benchmarks.plain.image_folder import Loop, images_per_s
from benchmarks.speed_sides import BFLOAT16, COLD, DEPTHS, FEATURES, NETWORKS, PLAIN, SIDES
from nasoa.data import load_dataset
from nasoa.online.tuning.finetune import finetune
from nasoa.online.tuning.job import Job
from nasoa.records import BN_TRAINED, FITTED, HEAD_ONLY, Regime, ZooEntry
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.precision import Precision, best_precision, precision_for
from nasoa.training.run import FREE
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import build, for_classes

LR = 0.01
FIRST_GUESS = 100  # iterations, until a step is timed


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is trained, and how long.

    Args:
        data: folder with `train/<class>/` and `test/<class>/`.
        network: one of `benchmarks.speed_sides.NETWORKS`.
        frozen_stages: number of frozen stages, as in `nasoa.records.Regime`.
        limit_s: seconds from listing the files to the end of the training.
        resolution: side of the images in pixels.
        batch_size: images a step.
    """

    data: Path
    network: str
    frozen_stages: int
    limit_s: float
    resolution: int
    batch_size: int


def main() -> None:
    """Make the run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--side", choices=SIDES, required=True)
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--depth", type=int, choices=DEPTHS, required=True)
    parser.add_argument("--limit", type=float, default=30.0, metavar="S")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    run = Run(
        data=arguments.data,
        network=arguments.network,
        frozen_stages=arguments.depth,
        limit_s=arguments.limit,
        resolution=arguments.resolution,
        batch_size=arguments.batch_size,
    )
    sys.stdout.write(json.dumps({"images_per_s": float(f"{measure(run, arguments.side):.4g}")}))


def measure(run: Run, side: str) -> float:
    """Return the images a second of one side."""
    torch.manual_seed(0)
    if side in (PLAIN, BFLOAT16):
        best = best_precision()
        float32 = replace(best, autocast_dtype=None, channels_last=False)
        return plain(run, best if side == BFLOAT16 else float32)
    with (
        tempfile.TemporaryDirectory() as cache,
        mock.patch.dict(os.environ, {"NASOA_CACHE_DIR": cache}),
    ):
        if side != COLD:
            load_dataset(str(run.data), seed=0)
        return nasoa(run, caches=side == FEATURES)


def entry_of(name: str, num_classes: int) -> ZooEntry:
    """Return the zoo entry of a network; that of ResNet18, which the zoo lacks, is RegNet's."""
    zoo = packaged_zoo()
    if name in zoo.entries:
        return for_classes(zoo.entry(name), num_classes)
    like = zoo.entry("regnet_y_400mf")
    return for_classes(replace(like, name=name, builder=f"torchvision:{name}"), num_classes)


def plain(run: Run, precision: Precision) -> float:
    """Return the images a second of the plain loop."""
    folder = run.data / "train"
    entry = entry_of(run.network, sum(path.is_dir() for path in folder.iterdir()))
    network = build(entry)
    loop = Loop(
        network=network,
        frozen=network.parts[: run.frozen_stages + 1],
        precision=precision,
        resolution=run.resolution,
        mean=entry.mean,
        std=entry.std,
    )
    return images_per_s(loop, folder, run.batch_size, run.limit_s, LR)


def nasoa(run: Run, *, caches: bool) -> float:
    """Return the images a second of the package's own reading and fine-tuning.

    Args:
        run: what is trained.
        caches: whether features of frozen stages are computed once.
    """
    clock = WallClock()
    data = load_dataset(str(run.data), seed=0)
    entry = entry_of(run.network, len(data.class_names))
    network = build(entry)
    job = Job(
        network=network,
        data=data,
        regime=regime_of(run, caches=caches),
        entry=entry,
        mirror_safe=True,
        precision=precision_for(network),
        seed=0,
    )
    training = finetune(job, Deadline(clock, run.limit_s), FREE).training
    images = training.iterations * run.batch_size
    if run.frozen_stages == HEAD_ONLY:  # its last batch may be incomplete
        images = min(images, len(data.train))
    return images / training.curve[-1].elapsed_s


def regime_of(run: Run, *, caches: bool) -> Regime:
    """Return the regime that trains until the limit, or fits the head to all images once."""
    is_head = run.frozen_stages == HEAD_ONLY
    return Regime(
        model=run.network,
        lr=1.0 if is_head else LR,
        frozen_stages=run.frozen_stages,
        iterations=FIRST_GUESS,
        batch_size=run.batch_size,
        resolution=run.resolution,
        lr_schedule=FITTED if is_head else "constant",
        cached_features=is_head or caches,
        bn=BN_TRAINED,
    )


if __name__ == "__main__":
    main()
