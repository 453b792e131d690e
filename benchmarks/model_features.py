"""A zoo model's features of DATA, and the accuracy of a linear classifier on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.plain import logistic
from nasoa.config import DataConfig
from nasoa.data import ImageDataset, ImageSplit, load_dataset
from nasoa.data.augment import to_float
from nasoa.records import ZooEntry
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import Zoo
from nasoa.zoo.networks import load_network

VAL_FRACTION = 0.2
PENALTIES = (0.0001, 0.001, 0.01, 0.1, 1.0)
BATCH = 64


def linear_classifier(
    zoo: Zoo, model: str, data: str, seed: int, resolution: int
) -> tuple[Tensor, float]:
    """Fit logistic regression on a model's features of all training images, and test it.

    C is chosen on a fifth of the training images, or on the validation images of DATA; the
    classifier is then fitted on all of them.

    Args:
        zoo: contains the model and its weights.
        model: a name in it.
        data: DATA of `nasoa finetune`.
        seed: random seed of the split, as in `nasoa finetune`.
        resolution: side of the network's input images in pixels.

    Returns:
        `(n,)` bool, whether each test image is classified correctly; and C.
    """
    dataset = load_dataset(
        data, seed=seed, resolution=resolution, config=DataConfig(val_fraction=VAL_FRACTION)
    )
    entry = zoo.entry(model)
    features = _split_features(dataset, entry, zoo.weights(model))
    labels = {split: getattr(dataset, split).labels.numpy() for split in ("train", "val", "test")}
    c = _best_penalty(features, labels)
    classifier = logistic.fit(
        torch.cat([features["train"], features["val"]]).numpy(),
        torch.cat([dataset.train.labels, dataset.val.labels]).numpy(),
        c,
    )
    correct = classifier.predict(features["test"].numpy()) == labels["test"]
    return torch.from_numpy(correct), c


def _best_penalty(features: dict[str, Tensor], labels: dict[str, logistic.Labels]) -> float:
    def accuracy(c: float) -> float:
        classifier = logistic.fit(features["train"].numpy(), labels["train"], c)
        return float((classifier.predict(features["val"].numpy()) == labels["val"]).mean())

    return max(PENALTIES, key=accuracy)


def _split_features(dataset: ImageDataset, entry: ZooEntry, weights: bytes) -> dict[str, Tensor]:
    """Return the `(n, d)` pooled features of each split, with the network in evaluation mode."""
    network = load_network(entry, weights)
    precision = precision_for(network)
    body = nn.Sequential(*network.parts[:-1])
    precision.place(body).eval()

    def features(split: ImageSplit) -> Tensor:
        rows = []
        for images, _labels in split.batches(torch.arange(len(split)).split(BATCH)):
            placed = precision.normalise(
                to_float(images, dataset.resolution), entry.mean, entry.std
            )
            with torch.inference_mode(), precision.autocast():
                rows.append(body(placed).float().mean(dim=(2, 3)).cpu())
        return torch.cat(rows)

    return {split: features(getattr(dataset, split)) for split in ("train", "val", "test")}
