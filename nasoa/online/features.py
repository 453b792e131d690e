"""Features of the reference network: what a task is described and its head is started with."""

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
    mean = torch.tensor(entry.mean).view(1, 3, 1, 1)
    std = torch.tensor(entry.std).view(1, 3, 1, 1)
    features = []
    for images in batches:
        placed = precision.place_images((to_float(images, entry.resolution) - mean) / std)
        with torch.no_grad(), precision.autocast():
            maps = body(placed)
        features.append(maps.float().mean(dim=(2, 3)).cpu())
    return torch.cat(features)
