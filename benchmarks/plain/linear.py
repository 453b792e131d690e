"""Arm (b): logistic regression on EfficientNet-Lite0 features, at the largest size that fits.

The size is the largest at which the features of training and test images fit the limit, minus the
time to read the data and to fit the classifier. If not even the smallest size does, or the machine
becomes slower, the classifier learns from as many random training images as there is time for. The
penalty is fixed; nothing is chosen on test images. Computing the features of the test images comes
after the limit.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from benchmarks.plain import logistic
from benchmarks.plain.data import read, survey
from benchmarks.plain.lite import (
    BATCH,
    NUM_FEATURES,
    candidate_sizes,
    largest_size,
    lite0,
    normalised,
    timed,
)
from nasoa.training.precision import Precision, best_precision

C = 0.01
# For unpredicted work: building the network, copying images, standardising features.
MARGIN_S = 0.5
DECODING_SLACK = 1.2


def run(data: str, limit_s: float, seed: int) -> dict[str, object]:
    """Extract features and fit within the limit; test afterwards, not counted."""
    began = time.perf_counter()
    end, precision = began + limit_s, best_precision()
    found = survey(data)

    def batch_s(size: int) -> float:
        network = _extractor(size, precision)
        return timed(lambda images: _features(network, images, precision), size)

    iteration_s = logistic.iteration_s(found.num_train, NUM_FEATURES, found.num_classes)
    fit_s = MARGIN_S + logistic.TYPICAL_ITERATIONS * iteration_s
    reading_s = DECODING_SLACK * found.image_s * found.num_images
    size = largest_size(
        candidate_sizes(found.image_resolution),
        batch_s,
        found.num_images / BATCH,
        end - reading_s - fit_s,
    )
    images = read(data, seed, size)
    order = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(seed))
    network, rows = _extractor(size, precision), []
    for indices in order.split(BATCH):
        rows.append(_features(network, images.train[indices], precision))
        if time.perf_counter() > end - fit_s:
            break
    features = torch.cat(rows)
    labels = images.train_labels[order[: len(features)]]
    left_s = end - time.perf_counter()
    classifier = logistic.fit(
        features.numpy(),
        labels.numpy(),
        C,
        min(logistic.MAX_ITERATIONS, max(logistic.TYPICAL_ITERATIONS, int(left_s / iteration_s))),
    )
    elapsed_s = time.perf_counter() - began
    tested = torch.cat(
        [_features(network, part, precision) for part in images.test.split(BATCH)]
    ).numpy()
    return {
        "accuracy": float((classifier.predict(tested) == images.test_labels.numpy()).mean()),
        "elapsed_s": elapsed_s,
        "size": size,
        "train_fraction": len(features) / len(images.train),
    }


def _extractor(size: int, precision: Precision) -> nn.Module:
    return precision.place(lite0(size, nn.Identity())).eval()


def _features(network: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    """Return the `(b, 1280)` float32 features of uint8 images."""
    with torch.inference_mode(), precision.autocast():
        features: Tensor = network(normalised(images, precision))
    return features.float().cpu()
