"""Pooled features of networks, used to compare tasks, the pretraining source and models."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data.augment import to_float
from nasoa.records import ZooEntry
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.precision import Precision


def extract(
    network: StagedNetwork,
    entry: ZooEntry,
    batches: Iterable[Tensor],
    resolution: int,
    precision: Precision,
) -> Tensor:
    """Return `(n, d)` pooled features of uint8 `(b, 3, h, w)` batches.

    Args:
        network: pretrained network, which is not changed.
        entry: zoo entry with the network's normalisation.
        batches: batches of `n` images in total.
        resolution: resolution in pixels that images are resized to.
        precision: device and number format of the computation.
    """
    return timed_extract(network, entry, batches, resolution, precision)[0]


def timed_extract(
    network: StagedNetwork,
    entry: ZooEntry,
    batches: Iterable[Tensor],
    resolution: int,
    precision: Precision,
) -> tuple[Tensor, float]:
    """Return the features, and the seconds per image of the fastest batch.

    The first batch includes one-time initialisation of the libraries, so a single batch is computed
    twice. The time to load the batches is not included. Arguments are those of `extract`.
    """
    features_of = _extractor(network, entry, resolution, precision)
    found, image_s = [], math.inf
    for images in batches:
        features, seconds = _timed(features_of, images)
        found.append(features)
        image_s = min(image_s, seconds / len(images))
    if len(found) == 1:
        image_s = min(image_s, _timed(features_of, images)[1] / len(images))
    return torch.cat(found), image_s


def _timed(features_of: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, float]:
    started = time.monotonic()
    features = features_of(images)
    return features, time.monotonic() - started


def _extractor(
    network: StagedNetwork, entry: ZooEntry, resolution: int, precision: Precision
) -> Callable[[Tensor], Tensor]:
    """Return a function that computes `(b, d)` pooled features of a uint8 `(b, 3, h, w)` batch."""
    body = FrozenPrefix(nn.Sequential(*network.parts[:-1]), precision)

    def features_of(images: Tensor) -> Tensor:
        on_device = precision.to_device(images)
        placed = precision.normalise(to_float(on_device, resolution), entry.mean, entry.std)
        return body(placed).float().mean(dim=(2, 3)).cpu()

    return features_of
