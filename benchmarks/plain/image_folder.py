"""A plain PyTorch training loop over image files, as tutorials of torchvision write it.

`ImageFolder` decodes each file whenever it is needed, in the processes of a `DataLoader`; crops,
mirroring and normalisation are torchvision's. Frozen layers get no gradients. There is no
validation.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from nasoa.cores import num_cores
from nasoa.training.precision import Precision

MOST_WORKERS = 8
LEAST_AREA = 0.8


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What a loop trains.

    Args:
        network: the whole network, in any mode.
        frozen: modules of it that are not trained.
        precision: device, number format and memory layout.
        resolution: side of the images in pixels.
        mean: mean of each RGB channel, for normalisation.
        std: standard deviation of each RGB channel.
    """

    network: nn.Module
    frozen: Sequence[nn.Module]
    precision: Precision
    resolution: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def images_per_s(loop: Loop, folder: Path, batch_size: int, limit_s: float, lr: float) -> float:
    """Train until a limit; return the images a second, from listing the files to the last step.

    Args:
        loop: what is trained.
        folder: folder of class folders.
        batch_size: images a step; an incomplete last batch of an epoch is dropped.
        limit_s: seconds; one step is made in any case.
        lr: constant learning rate.

    Raises:
        ValueError: there are fewer images than a batch has.
    """
    network = loop.precision.place(loop.network.train())
    for module in loop.frozen:
        module.requires_grad_(False)
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    seen, started = 0, time.perf_counter()
    loader = _loader(loop, folder, batch_size)
    if not len(loader):
        raise ValueError(f"expected at least {batch_size} images in {folder}")
    for images, labels in chain.from_iterable(repeat(loader)):
        with loop.precision.autocast():
            logits = network(loop.precision.place_images(images))
        loss = functional.cross_entropy(logits.float(), labels.to(loop.precision.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(images)
        elapsed_s = time.perf_counter() - started
        if elapsed_s >= limit_s:
            break
    return seen / elapsed_s


def _loader(loop: Loop, folder: Path, batch_size: int) -> DataLoader[Any]:
    augment = transforms.Compose(
        [
            transforms.RandomResizedCrop(loop.resolution, scale=(LEAST_AREA, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(loop.mean, loop.std),
        ]
    )
    return DataLoader(
        ImageFolder(str(folder), augment),
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=min(num_cores(), MOST_WORKERS),
        persistent_workers=True,
    )
