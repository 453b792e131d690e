"""Compare ways in which validation chooses between the head alone and a training of the last stage.

    python -m benchmarks.checkpoint_choice run --data FOLDER [--shard 0 2]
    python -m benchmarks.checkpoint_choice report

`run` takes parts of the meta-training data sets, fits a head to the features of EfficientNet-Lite0,
and trains the last stage from this head on cached features, at several learning rates. It appends
the accuracy and the cross-entropy on validation and test images before and after each training to
`benchmarks/results/checkpoint_choice.jsonl`, and skips lines that exist. `report` lets every rule
choose with the validation images and writes the test accuracy of what it chose to
`benchmarks/results/checkpoint_choice.json`.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.machine import RESULTS, code_version, machine, write
from benchmarks.paired_summary import bootstrap_interval
from benchmarks.run_log import Row, RunLog
from nasoa.data import ImageDataset, load_dataset, subset
from nasoa.records import HEAD_ONLY
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.linear_head import fit_head, put_head
from nasoa.training.loop import fix_bn
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network

LOG = RESULTS / "checkpoint_choice.jsonl"
PART = ["data", "images", "seed"]
KEY = (*PART, "lr", "bn")
MODEL = "efficientnet-lite0"
RESOLUTION = 160
DATA = (
    *("clothing10_224", "houses4_224", "pacs_photo", "imagewoof10", "dtd10", "cub10"),
    *("clothing10", "signdigits10", "pacs_art_painting", "caltech101"),
)
IMAGES = (250, 1000)  # training and validation images
MOST_TESTS = 500
SEEDS = (0, 1)
# Learning rate, and where batch-normalisation statistics adapt; 0 is the head alone.
TRAININGS = ((0.0, "fixed"), (0.002, "fixed"), (0.005, "fixed"), (0.01, "trained"))
EPOCHS, BATCH = 5, 32
WEIGHT_DECAY, SMOOTHING = 5e-4, 0.1


def main() -> None:
    """Make the missing trainings, or report."""
    parser, _runs = parser_of_verbs(__doc__)
    arguments = parser.parse_args()
    if arguments.verb == "report":
        report(RunLog(LOG, KEY).rows)
        return
    torch.set_num_threads(arguments.threads)
    index, shards = arguments.shard
    parts = list(product(SEEDS, IMAGES, DATA))
    for seed, images, data in parts[index::shards]:
        run(arguments.data / f"{data}.zip", images, seed)


def parser_of_verbs(
    documentation: str,
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return a parser with the verbs `run`, for a shard of the parts, and `report`; and `run`'s."""
    parser = argparse.ArgumentParser(description=documentation.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    runs.add_argument("--shard", type=int, nargs=2, default=(0, 1), metavar=("I", "K"))
    runs.add_argument("--threads", type=int, default=1)
    verbs.add_parser("report")
    return parser, runs


def run(path: Path, images: int, seed: int) -> None:
    """Make the missing trainings on one part of a data set."""
    log = RunLog(LOG, KEY)
    shared = {"data": path.stem, "images": images, "seed": seed}
    missing: list[Row] = [
        {**shared, "lr": lr, "bn": bn}
        for lr, bn in TRAININGS
        if not log.has(**shared, lr=lr, bn=bn)
    ]
    if not missing:
        return
    features = Features(part_of(path, images, seed), seed)
    for key in missing:
        trained = features.trained(key["lr"], key["bn"])
        row = {**key, **features.judged(trained), "code_version": code_version()}
        log.append(row)
        sys.stderr.write(f"{json.dumps(row)}\n")


def part_of(path: Path, images: int, seed: int) -> ImageDataset:
    """Return a part of a data set with at most `images` training and validation images."""
    data = load_dataset(str(path), seed=seed)
    share = min(1.0, images / (len(data.train) + len(data.val)))
    classes = range(len(data.class_names))
    per_class = max(2, round(share * len(data.train) / len(classes)))
    return subset(
        data,
        classes,
        np.random.default_rng(seed),
        per_class=per_class,
        val_per_class=max(1, round(share * len(data.val) / len(classes))),
        max_test=MOST_TESTS,
    )


class Features:
    """Features of a part, the head fitted to them, and trainings from there."""

    def __init__(self, data: ImageDataset, seed: int) -> None:
        zoo = packaged_zoo().buildable()
        entry = zoo.entry(MODEL)
        self._network = load_network(entry, zoo.weights(MODEL), len(data.class_names))
        self._seed, self._num_classes = seed, len(data.class_names)
        precision = precision_for(self._network)
        precision.place(self._network)
        prefix, self._start = split_network(self._network, HEAD_ONLY - 1)
        config = InputConfig(
            resolution=RESOLUTION,
            mean=entry.mean,
            std=entry.std,
            batch_size=BATCH,
            flip=True,
            min_scale=1.0,
            seed=seed,
            adapts_frozen_bn=False,
        )
        self._cache = CachedFeatures(ImageInputs(data, prefix, config, precision), pooled=False)
        for split, side in product(("train", "val", "test"), (0, 1)):
            for _images in self._cache.fill(split, side):
                pass
        self._labels = {split: getattr(data, split).labels for split in ("train", "val", "test")}
        self._fit_head()

    def _maps(self, split: str, side: int) -> Iterator[Tensor]:
        for indices in torch.arange(self._cache.count(split)).split(256):
            yield self._cache.features(split, indices, side)

    def _fit_head(self) -> None:
        body = nn.Sequential(*list(self._start)[:-1]).eval()
        with torch.inference_mode():
            pooled = {
                split: torch.cat(
                    [
                        body(maps).mean(dim=(2, 3))
                        for side in (0, 1)
                        for maps in self._maps(split, side)
                    ]
                ).clone()
                for split in ("train", "val")
            }
        twice = {split: torch.cat([labels, labels]) for split, labels in self._labels.items()}
        order = torch.randperm(
            len(twice["train"]), generator=torch.Generator().manual_seed(self._seed)
        )
        head = fit_head(
            pooled["train"][order],
            twice["train"][order],
            self._num_classes,
            validation=(pooled["val"], twice["val"]),
        )
        put_head(self._network, head)

    def trained(self, lr: float, bn: str) -> nn.Module:
        """Return the last stage and the head after a training; with a rate of 0, as they begin."""
        network = copy.deepcopy(self._start)
        if lr == 0.0:
            return network
        torch.manual_seed(self._seed)
        optimizer = torch.optim.SGD(
            network.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
        )
        labels = self._labels["train"]
        total = max(1, EPOCHS * len(labels) // BATCH)
        network.train()
        if bn == "fixed":
            fix_bn(network)
        for iteration, (batch, answers) in zip(
            range(total), self._cache.train_batches(0), strict=False
        ):
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1.0 + math.cos(math.pi * iteration / total))
            loss = functional.cross_entropy(network(batch), answers, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return network

    def judged(self, network: nn.Module) -> Row:
        """Return counts, accuracies and cross-entropies on validation and test images."""
        network.eval()
        found: Row = {}
        for split in ("val", "test"):
            with torch.inference_mode():
                sides = [
                    torch.cat([network(maps) for maps in self._maps(split, s)]) for s in (0, 1)
                ]
            logits, labels = torch.stack(sides).mean(dim=0), self._labels[split]
            found |= {
                f"num_{split}": len(labels),
                f"{split}_accuracy": float((logits.argmax(dim=1) == labels).float().mean()),
                f"{split}_loss": float(functional.cross_entropy(logits, labels)),
            }
        return found


# A rule says of each training, in a row with its head alone, whether to keep it.
Rule = Callable[[pd.DataFrame], pd.Series]


def standard_error(pairs: pd.DataFrame) -> pd.Series:
    """Return the standard errors of the heads' validation accuracies."""
    accuracy = pairs["val_accuracy_head"]
    return np.sqrt(accuracy * (1.0 - accuracy) / pairs["num_val_head"])


def gain(pairs: pd.DataFrame) -> pd.Series:
    """Return how much higher the validation accuracies are after the trainings."""
    return pairs["val_accuracy"] - pairs["val_accuracy_head"]


def lower_loss(pairs: pd.DataFrame) -> pd.Series:
    """Return whether the validation losses are lower after the trainings."""
    return pairs["val_loss"] < pairs["val_loss_head"]


RULES: dict[str, Rule] = {
    "the head alone": lambda pairs: pd.Series(False, pairs.index),
    "the training": lambda pairs: pd.Series(True, pairs.index),
    "higher accuracy": lambda pairs: gain(pairs) > 0,
    "accuracy higher by half a standard error": (
        lambda pairs: gain(pairs) > 0.5 * standard_error(pairs)
    ),
    "accuracy higher by a standard error": lambda pairs: gain(pairs) > standard_error(pairs),
    "accuracy not lower": lambda pairs: gain(pairs) >= 0,
    "accuracy not lower by half a standard error": (
        lambda pairs: gain(pairs) >= -0.5 * standard_error(pairs)
    ),
    "accuracy not lower by a standard error": lambda pairs: gain(pairs) >= -standard_error(pairs),
    "lower loss": lower_loss,
    "lower loss, accuracy not lower by a standard error": (
        lambda pairs: lower_loss(pairs) & (gain(pairs) >= -standard_error(pairs))
    ),
    "lower loss or higher accuracy": lambda pairs: lower_loss(pairs) | (gain(pairs) > 0),
    "knows the test images": lambda pairs: pairs["test_accuracy"] > pairs["test_accuracy_head"],
}


def report(rows: Sequence[Row]) -> None:
    """Write the mean test accuracy of every rule's choices, and their gain over the head alone."""
    result: dict[str, Any] = {
        "machine": machine(["torch", "scikit-learn"]),
        "model": MODEL,
        "resolution": RESOLUTION,
        "epochs": EPOCHS,
        **summarise(rows),
    }
    write(result, RESULTS / "checkpoint_choice.json")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what trainings and rules gain over the head alone."""
    pairs = paired(pd.DataFrame(rows))
    pairs["training"] = [f"{lr:g}, {bn}" for lr, bn in zip(pairs["lr"], pairs["bn"], strict=True)]
    gains_of_trainings = pairs["test_accuracy"] - pairs["test_accuracy_head"]
    return {
        "seeds": sorted(set(pairs["seed"].to_list())),
        "parts": len(pairs[PART].drop_duplicates()),
        "trainings": len(pairs),
        "gain_by_training": gains_of_trainings.groupby(pairs["training"]).mean().to_dict(),
        "rules": {
            name: {str(images): gains(rule, pairs, images) for images in (*IMAGES, "all")}
            for name, rule in RULES.items()
        },
    }


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each training with the head alone of the same part."""
    is_head = runs["lr"] == 0
    heads = runs[is_head]
    return runs[~is_head].merge(heads, on=PART, suffixes=("", "_head"), validate="many_to_one")


def gains(rule: Rule, pairs: pd.DataFrame, images: object) -> dict[str, Any]:
    """Return the mean gain over the head alone, with an interval over data sets."""
    some = pairs if images == "all" else pairs[pairs["images"] == images]
    lead = (some["test_accuracy"] - some["test_accuracy_head"]).where(rule(some), 0.0)
    means = lead.groupby(some["data"], sort=False).mean()
    return {"mean_gain": float(means.mean()), "interval_90": bootstrap_interval(means.to_list())}


if __name__ == "__main__":
    main()
