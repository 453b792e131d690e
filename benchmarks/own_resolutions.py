"""How far beyond its own resolution a network is worth using: heads alone at several sizes.

    python -m benchmarks.own_resolutions run --data FOLDER [--shard 0 2]
    python -m benchmarks.own_resolutions report

`run` fits a head to the features of networks that the package pretrained at 64 px, on parts of the
meta-training data sets whose images are large enough, at 64 to 224 px, and appends the test
accuracies to `benchmarks/results/own_resolutions.jsonl`; lines that exist are skipped. `report`
writes the mean gain over 64 px, with an interval over data sets, to
`benchmarks/results/own_resolutions.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd
import torch

from benchmarks.checkpoint_choice import parser_of_verbs, part_of
from benchmarks.machine import RESULTS, code_version, machine, write
from benchmarks.paired_summary import bootstrap_interval, source_of
from benchmarks.run_log import Row, RunLog
from nasoa.data import ImageDataset
from nasoa.online.regimes.regime_space import MOST_ZOOM, RESOLUTIONS
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.linear_head import fit_head, put_head
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network

NAME = "own_resolutions"
LOG = RESULTS / f"{NAME}.jsonl"
KEY = ("data", "model", "resolution")
MODELS = ("ET-NAS-A", "ET-NAS-C", "regnet_y_400mf")
OWN = 64  # pixels
DATA = ("clothing10_224", "houses4_224", "pacs_photo", "imagewoof10", "dtd10", "caltech101")
IMAGES = 600  # training and validation images
BATCH = 64


def main() -> None:
    """Fit the missing heads, or report."""
    parser, _runs = parser_of_verbs(__doc__)
    arguments = parser.parse_args()
    log = RunLog(LOG, KEY)
    if arguments.verb == "report":
        report(log.rows)
        return
    torch.set_num_threads(arguments.threads)
    index, shards = arguments.shard
    for name in DATA[index::shards]:
        data = part_of(arguments.data / f"{name}.zip", IMAGES, 0)
        for model, resolution in product(MODELS, [r for r in RESOLUTIONS if r >= OWN]):
            key = {"data": name, "model": model, "resolution": resolution}
            if not log.has(**key):
                row = {**key, "accuracy": accuracy(model, data, resolution)}
                log.append({**row, "code_version": code_version()})
                sys.stderr.write(f"{json.dumps(row)}\n")


def accuracy(model: str, data: ImageDataset, resolution: int) -> float:
    """Return the test accuracy of a head that is fitted to all images of a part."""
    zoo = packaged_zoo()
    entry = zoo.entry(model)
    network = load_network(entry, zoo.weights(model), len(data.class_names))
    precision = precision_for(network)
    precision.place(network)
    prefix, head = split_network(network, len(network.parts) - 2)
    config = InputConfig(
        resolution=resolution,
        mean=entry.mean,
        std=entry.std,
        batch_size=BATCH,
        flip=False,
        min_scale=1.0,
        seed=0,
    )
    cache = CachedFeatures(ImageInputs(data, prefix, config, precision), pooled=True)
    fitted = {}
    for split in ("train", "val"):
        for _images in cache.fill(split):
            pass
        indices = torch.arange(cache.count(split))
        labels = getattr(data, split).labels
        fitted[split] = (cache.features(split, indices).mean(dim=(2, 3)), labels)
    put_head(network, fit_head(*fitted["train"], len(data.class_names), validation=fitted["val"]))
    pairs = list(cache.evaluate(head, "test", cache.count("test")))
    correct = sum(int((logits.argmax(dim=1) == labels).sum()) for logits, labels in pairs)
    return correct / cache.count("test")


def report(rows: Sequence[Row]) -> None:
    """Write the mean gain of each resolution over the networks' own."""
    result: dict[str, Any] = {
        "machine": machine(["torch", "scikit-learn"]),
        "seed": 0,
        "models": list(MODELS),
        "own_resolution": OWN,
        "most_zoom": MOST_ZOOM,
        "data": sorted({row["data"] for row in rows}),
        "images": IMAGES,
        "gain": gains(rows),
    }
    write(result, RESULTS / f"{NAME}.json")


def gains(rows: Sequence[Row]) -> dict[str, Any]:
    """Return for each larger resolution the mean gain, with an interval over sources of images."""
    runs = pd.DataFrame(rows)
    by_resolution = runs.pivot(index=["data", "model"], columns="resolution", values="accuracy")
    over_own = by_resolution.drop(columns=OWN).sub(by_resolution[OWN], axis="index")
    found = {}
    for resolution, of_heads in over_own.items():
        own = of_heads.dropna()
        means = own.groupby(own.index.get_level_values("data").map(source_of)).mean()
        found[str(resolution)] = {
            "mean": float(means.mean()),
            "interval_90": bootstrap_interval(means.to_list()),
        }
    return found


if __name__ == "__main__":
    main()
