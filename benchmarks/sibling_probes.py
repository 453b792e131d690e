"""Compare ways to choose among networks with the same pretraining: by a probe, or always the same.

    python -m benchmarks.sibling_probes FOLDER

On each meta-training data set, of up to 900 training images, a head is fitted to the features of
each EfficientNet-Lite and tested on up to 900 test images. A probe is what a task makes of a model:
the leave-one-out accuracy of a ridge regression on some of the same training images. The networks
are used at 160 px, on photographs at real size at 224 px. Writes
`benchmarks/results/sibling_probes.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.machine import RESULTS, machine, write
from benchmarks.paired_summary import bootstrap_interval, means_of_sources
from benchmarks.run_log import Row
from nasoa.data import ImageDataset
from nasoa.data.dataset import ImageSplit
from nasoa.online.task.landmark import landmark_accuracy
from nasoa.online.task.meta_features import sample_indices
from nasoa.online.task.pooled_features import extract
from nasoa.records import ZooEntry
from nasoa.steps.compute_meta_features import read_data
from nasoa.training.hardware import use_threads
from nasoa.training.linear_head import fit_head, is_right
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import Zoo, packaged_zoo
from nasoa.zoo.networks import load_network

DATA = (
    *("caltech101", "cifar10", "clothing10", "clothing10_224", "cub10", "dtd10", "facemask2"),
    *("gtsrb43", "houses4", "houses4_224", "imagenette10", "imagewoof10", "pacs_art_painting"),
    *("pacs_photo", "pacs_sketch", "signdigits10", "smile2"),
)
MODELS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
PROBED = (150, 300, 600, 900)  # images
MOST_IMAGES, PER_CLASS = 900, 200
RESOLUTION, REAL_SIZE = 160, 224
BATCH = 64
SEED = 0


def main() -> None:
    """Measure, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the archives of the data sets")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "sibling_probes.json")
    arguments = parser.parse_args()
    use_threads()
    zoo = packaged_zoo()
    rows = [
        row
        for name in DATA
        for row in measure(zoo, read_data(str(arguments.folder / f"{name}.zip"), SEED))
    ]
    result = {
        "what": "test accuracy of a head alone, by how its network is chosen",
        "machine": machine(["torch", "scikit-learn"]),
        "seed": SEED,
        "resolution": {"real size": REAL_SIZE, "others": RESOLUTION},
        **summarise(rows),
        "rows": rows,
    }
    write(result, arguments.output)


def measure(zoo: Zoo, data: ImageDataset) -> list[Row]:
    """Return a row for each model: its head's test accuracy, and its probes by number of images."""
    rng = np.random.default_rng(SEED)
    chosen = sample_indices(data.train.labels.numpy(), PER_CLASS, MOST_IMAGES, rng)
    train = torch.from_numpy(rng.permutation(chosen))
    test = torch.from_numpy(rng.permutation(len(data.test))[:MOST_IMAGES])
    labels, answers = data.train.labels[train], data.test.labels[test]
    resolution = REAL_SIZE if data.name.endswith("_224") else RESOLUTION
    rows = []
    for model in MODELS:
        entry, weights = zoo.entry(model), zoo.weights(model)
        features = _features(entry, weights, data.train, train, resolution)
        asked = _features(entry, weights, data.test, test, resolution)
        held_out = len(train) // 10
        head = fit_head(
            features[held_out:],
            labels[held_out:],
            len(data.class_names),
            validation=(features[:held_out], labels[:held_out]),
        )
        probes = {
            count: landmark_accuracy(features[:count].numpy(), labels[:count].numpy())
            for count in PROBED
        }
        rows.append(
            {
                "data": data.name,
                "model": model,
                "num_train": len(train),
                "num_test": len(test),
                "accuracy": is_right(head, asked, answers).double().mean().item(),
                **{f"probe_{count}": probes[count] for count in PROBED},
            }
        )
    return rows


def _features(
    entry: ZooEntry, weights: bytes, split: ImageSplit, indices: Tensor, resolution: int
) -> Tensor:
    network = load_network(entry, weights)
    batches = (split.images(some) for some in indices.split(BATCH))
    return extract(network, entry, batches, resolution, precision_for(network))


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Return mean accuracies by way of choosing, and each way's lead over always the largest."""
    table = pd.DataFrame(rows)
    accuracy = table.pivot_table(index="data", columns="model", values="accuracy")
    ways = {f"always {model}": accuracy[model] for model in MODELS}
    for count in PROBED:
        probes = table.pivot_table(index="data", columns="model", values=f"probe_{count}")
        chosen = probes.idxmax(axis="columns")
        ways[f"best probe of {count} images"] = pd.Series(
            {data: accuracy.loc[data, model] for data, model in chosen.items()}
        )
    ways["best on the test images"] = accuracy.max(axis="columns")
    usual = accuracy[MODELS[-1]]
    return {
        "data_sets": len(accuracy),
        "mean_accuracy": {way: float(values.mean()) for way, values in ways.items()},
        "lead_over_the_largest": {
            way: {
                "mean": float((values - usual).mean()),
                "interval_90": bootstrap_interval(means_of_sources(values - usual)),
            }
            for way, values in ways.items()
        },
    }


if __name__ == "__main__":
    main()
