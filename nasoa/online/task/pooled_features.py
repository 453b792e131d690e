"""Pooled features of networks, by which tasks, the pretraining source and models are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data.augment import to_float
from nasoa.records import ZooEntry
from nasoa.training.frozen import FrozenPrefix
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
        network: pretrained; stays as it is.
        entry: the network's normalisation.
        batches: images, together `n`.
        resolution: in pixels, that they are brought to.
        precision: where and in which format to compute.
    """
    features_of = extractor(network, entry, resolution, precision)
    return torch.cat([features_of(images) for images in batches])


def extractor(
    network: StagedNetwork, entry: ZooEntry, resolution: int, precision: Precision
) -> Callable[[Tensor], Tensor]:
    """Return what gives the `(b, d)` pooled features of a uint8 `(b, 3, h, w)` batch.

    Arguments are those of `extract`.
    """
    body = FrozenPrefix(nn.Sequential(*network.parts[:-1]), precision)

    def features_of(images: Tensor) -> Tensor:
        on_device = precision.to_device(images)
        placed = precision.normalise(to_float(on_device, resolution), entry.mean, entry.std)
        return body(placed).float().mean(dim=(2, 3)).cpu()

    return features_of
