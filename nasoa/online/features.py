"""Pooled features of networks, by which tasks, the pretraining source and models are compared."""

from __future__ import annotations

from collections.abc import Iterable

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
    body = FrozenPrefix(nn.Sequential(*network.parts[:-1]), precision)
    features = []
    for images in batches:
        on_device = precision.to_device(images)
        placed = precision.normalise(to_float(on_device, resolution), entry.mean, entry.std)
        features.append(body(placed).float().mean(dim=(2, 3)).cpu())
    return torch.cat(features)
