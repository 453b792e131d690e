"""Features of the reference network, by which tasks and the pretraining source are described."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.data.augment import to_float
from nasoa.records import ZooEntry
from nasoa.training.precision import Precision


def extract(
    network: StagedNetwork,
    entry: ZooEntry,
    batches: Iterable[Tensor],
    precision: Precision,
) -> Tensor:
    """`(n, d)` pooled features of uint8 `(b, 3, r, r)` batches at the entry's resolution."""
    body = precision.place(nn.Sequential(network.stem, *network.stages)).eval()
    features = []
    for images in batches:
        placed = precision.normalise(to_float(images, entry.resolution), entry.mean, entry.std)
        with torch.no_grad(), precision.autocast():
            maps = body(placed)
        features.append(maps.float().mean(dim=(2, 3)).cpu())
    return torch.cat(features)
