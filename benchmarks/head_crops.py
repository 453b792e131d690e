"""Measure what random crops of the training images add to a head alone.

    python -m benchmarks.head_crops run --data FOLDER [--shard 0 2]
    python -m benchmarks.head_crops report

`run` takes parts of the meta-training data sets and fits heads to the features of a network, as a
fine-tune of the head alone does: to all training images, averaged over an image and its mirror
image, with a penalty that validation selects, and then to the validation images too; and to
different numbers of random crops of each training image as well. It appends the test accuracies to
`benchmarks/results/head_crops.jsonl`, and skips lines that exist. `report` writes the mean gains
over no crops to `benchmarks/results/head_crops.json`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from benchmarks.checkpoint_choice import DATA, IMAGES, MODEL, SEEDS, parser_of_verbs, part_of
from benchmarks.machine import RESULTS, code_version, machine, write
from benchmarks.paired_summary import bootstrap_interval
from benchmarks.run_log import Row, RunLog
from nasoa.data import ImageDataset
from nasoa.data.augment import augment, to_float
from nasoa.records import HEAD_ONLY
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import split_network
from nasoa.training.linear_head import LinearHead, fit_head, is_right, refit_head
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network

LOG = RESULTS / "head_crops.jsonl"
KEY = ("model", "data", "images", "seed", "crop_scale", "crops")
CROPS = (0, 1, 4)
SCALE = 0.35
RESOLUTION, REAL_SIZE = 160, 224
BATCH = 64


def main() -> None:
    """Fit the missing heads, or report."""
    parser, runs = parser_of_verbs(__doc__)
    runs.add_argument("--models", nargs="+", default=(MODEL,))
    runs.add_argument("--scales", type=float, nargs="+", default=(SCALE,))
    arguments = parser.parse_args()
    if arguments.verb == "report":
        report(RunLog(LOG, KEY).rows)
        return
    torch.set_num_threads(arguments.threads)
    index, shards = arguments.shard
    parts = list(product(arguments.models, SEEDS, IMAGES, DATA, arguments.scales))
    for model, seed, images, data, scale in parts[index::shards]:
        shared = {"model": model, "data": data, "images": images, "seed": seed}
        run(arguments.data / f"{data}.zip", {**shared, "crop_scale": scale})


def run(path: Path, shared: Row) -> None:
    """Fit the missing heads to one part of a data set."""
    log = RunLog(LOG, KEY)
    missing = [crops for crops in CROPS if not log.has(**shared, crops=crops)]
    if not missing:
        return
    data = part_of(path, shared["images"], shared["seed"])
    heads = Heads(data, shared)
    for crops in missing:
        row = {**shared, "crops": crops, **heads.fitted(crops), "code_version": code_version()}
        log.append(row)
        sys.stderr.write(f"{json.dumps(row)}\n")


class Heads:
    """Heads fitted to the features of one part, which are computed once."""

    def __init__(self, data: ImageDataset, shared: Row) -> None:
        zoo = packaged_zoo().buildable()
        self._entry = zoo.entry(shared["model"])
        self._data = data
        self._num_classes = len(data.class_names)
        network = load_network(self._entry, zoo.weights(self._entry.name), self._num_classes)
        self._precision = precision_for(network)
        self._precision.place(network)
        body, _head = split_network(network, HEAD_ONLY)
        self._body = FrozenPrefix(body, self._precision)
        self._resolution = REAL_SIZE if shared["data"].endswith("_224") else RESOLUTION
        self._crop_scale = shared["crop_scale"]
        generator = torch.Generator().manual_seed(shared["seed"])
        self._order = torch.randperm(len(data.train), generator=generator)
        self._features = {split: self._sides(split) for split in ("train", "val", "test")}
        self._crops = [self._crop(generator) for _ in range(max(CROPS))]

    def fitted(self, crops: int) -> Row:
        """Fit a head to a number of crops of each image; return its accuracies."""
        labels = {split: getattr(self._data, split).labels for split in self._features}
        rows = torch.cat([self._features["train"][self._order], *self._crops[:crops]])
        answers = labels["train"][self._order].repeat(1 + crops)
        validation = self._features["val"], labels["val"]
        started = time.monotonic()
        head = fit_head(rows, answers, self._num_classes, validation=validation)
        whole = refit_head(
            head, torch.cat([rows, validation[0]]), torch.cat([answers, validation[1]])
        )
        return {
            "num_train": len(self._data.train),
            "num_test": len(self._data.test),
            "strength": head.strength,
            "val_accuracy": _accuracy(head, *validation),
            "test_accuracy": _accuracy(whole, self._features["test"], labels["test"]),
            "fit_s": round(time.monotonic() - started, 2),
        }

    def _sides(self, split: str) -> Tensor:
        """Return the `(n, d)` features of a split, averaged over an image and its mirror image."""
        images = getattr(self._data, split)
        batches = torch.arange(len(images)).split(BATCH)
        floats = (to_float(images.images(some), self._resolution) for some in batches)
        return torch.cat([(self._means(x) + self._means(x.flip(3))) / 2 for x in floats])

    def _crop(self, generator: torch.Generator) -> Tensor:
        """Return the `(n, d)` features of a random crop of each training image, in order."""
        crops = (
            augment(
                self._data.train.images(some),
                generator,
                resolution=self._resolution,
                flip=True,
                min_scale=self._crop_scale,
            )
            for some in self._order.split(BATCH)
        )
        return torch.cat([self._means(crop) for crop in crops])

    def _means(self, images: Tensor) -> Tensor:
        """Return the `(b, d)` features of images with values in [0, 1]."""
        placed = self._precision.normalise(images, self._entry.mean, self._entry.std)
        return self._body(placed).float().mean(dim=(2, 3))


def _accuracy(head: LinearHead, features: Tensor, labels: Tensor) -> float:
    return is_right(head, features, labels).float().mean().item()


def report(rows: Sequence[Row]) -> None:
    """Write the mean gains in test accuracy over no crops, by model and scale."""
    result: dict[str, Any] = {
        "machine": machine(["torch", "scikit-learn"]),
        "resolution": {"real size": REAL_SIZE, "others": RESOLUTION},
        **summarise(rows),
    }
    write(result, RESULTS / "head_crops.json")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the mean gains over no crops, by model and scale, and number of crops."""
    runs = pd.DataFrame(rows)
    part = [name for name in KEY if name != "crops"]
    has_none = runs["crops"] == 0
    pairs = runs[~has_none].merge(
        runs[has_none], on=part, suffixes=("", "_none"), validate="many_to_one"
    )
    pairs["gain"] = pairs["test_accuracy"] - pairs["test_accuracy_none"]
    cases = pairs.groupby(["model", "crop_scale"], sort=False)
    return {
        "seeds": sorted(set(runs["seed"].to_list())),
        "parts": len(runs[["data", "images", "seed"]].drop_duplicates()),
        "gains": {
            f"{model}, at least {scale:g} of the area": {
                crops: _over(of_crops.groupby("data")["gain"].mean())
                for crops, of_crops in own.groupby("crops")
            }
            for (model, scale), own in cases
        },
    }


def _over(means: pd.Series) -> dict[str, Any]:
    """Return the mean gain over data sets, its interval, and that of each data set."""
    return {
        "mean_gain": float(means.mean()),
        "interval_90": bootstrap_interval(means.to_list()),
        "by_data": means.to_dict(),
    }


if __name__ == "__main__":
    main()
