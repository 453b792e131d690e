"""Measure nasoa's training speed on a CPU, compared with plain PyTorch loops and `torch.optim.SGD`.

The plain loops are in float32, contiguous and channels_last, and in bfloat16 with autocast if the
processor computes in it. `python -m benchmarks.training_speed` alternates them with nasoa's step,
each side in its own process, and reports medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from benchmarks.machine import RESULTS, write
from benchmarks.paired_workers import Work, Worker, in_turns, rates, ratios, result
from nasoa.arch import StagedNetwork
from nasoa.config import TrainingConfig
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import split_network
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision, best_precision, precision_for
from nasoa.training.sgd import NesterovSGD
from nasoa.training.weight_gradients import use_matrix_gradients
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import build

LR = 1e-3
CPU = torch.device("cpu")
NASOA = "nasoa"


def network(name: str) -> StagedNetwork:
    """Build a network with random weights."""
    torch.manual_seed(0)
    return build(packaged_zoo().entry(name))


def _step(
    features: Callable[[torch.Tensor], torch.Tensor],
    trainable: nn.Module,
    precision: Precision,
    images: torch.Tensor,
    optimizer: torch.optim.SGD | NesterovSGD,
) -> None:
    labels = torch.zeros(len(images), dtype=torch.int64)
    inputs = features(images)
    with precision.autocast():
        loss = functional.cross_entropy(trainable(inputs).float(), labels)
    loss.backward()
    if isinstance(optimizer, NesterovSGD):
        optimizer.step(LR)
    else:
        optimizer.step()
        optimizer.zero_grad()


def _in_training_mode(
    prefix: nn.Module, precision: Precision, images: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad(), precision.autocast():
        features: torch.Tensor = prefix(images)
        return features


def plain(name: str, frozen_stages: int, resolution: int, batch_size: int) -> dict[str, Work]:
    """Return the plain loops."""
    formats = {
        "float32": Precision(CPU, None, channels_last=False),
        "float32 channels_last": Precision(CPU, None, channels_last=True),
    }
    if best_precision().autocast_dtype is not None:
        formats["bfloat16 channels_last"] = best_precision()
    work: dict[str, Work] = {}
    for kind, precision in formats.items():
        whole = network(name)
        precision.place(whole.train())
        prefix, trainable = split_network(whole, frozen_stages)
        images = precision.place_images(torch.rand(batch_size, 3, resolution, resolution))
        optimizer = torch.optim.SGD(
            trainable.parameters(), lr=LR, momentum=0.9, nesterov=True, weight_decay=1e-4
        )
        features = partial(_in_training_mode, prefix, precision)
        work[kind] = partial(_step, features, trainable, precision, images, optimizer)
        work[kind]()
    return work


def nasoa(name: str, frozen_stages: int, resolution: int, batch_size: int) -> dict[str, Work]:
    """Return a step as `Trainer` makes it."""
    keep_freed_memory()
    whole = network(name)
    precision = precision_for(whole)
    precision.place(whole.train())
    prefix, trainable = split_network(whole, frozen_stages)
    use_matrix_gradients(trainable, precision)
    config = TrainingConfig(lr=LR, lr_schedule="constant", iterations=0, batch_size=batch_size)
    images = precision.place_images(torch.rand(batch_size, 3, resolution, resolution))
    features = FrozenPrefix(prefix, precision)
    step = partial(_step, features, trainable, precision, images, NesterovSGD(trainable, config))
    step()
    return {NASOA: step}


def measure(
    name: str, frozen_stages: int, resolution: int, batch_size: int, repeats: int, threads: int
) -> dict[str, object]:
    """Measure one network at one size, with the given number of stages frozen."""
    case = (name, frozen_stages, resolution, batch_size)
    with (
        Worker(plain, *case, threads=threads) as plain_worker,
        Worker(nasoa, *case, threads=threads) as nasoa_worker,
    ):
        seconds = in_turns((plain_worker, nasoa_worker), repeats)
    return {
        "network": name,
        "frozen_stages": frozen_stages,
        "resolution": resolution,
        "images_per_cpu_s": rates(seconds, batch_size),
        **ratios(seconds, NASOA),
    }


def main() -> None:
    """Measure all cases and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--networks", nargs="+", default=[*packaged_zoo().entries])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "training_speed.json")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for resolution in options.resolutions:
        for name in options.networks:
            for frozen_stages in (-1, 3):
                case = (name, frozen_stages, resolution, options.batch_size)
                rows.append(measure(*case, options.repeats, options.threads))
                write(result(options, rows), options.output)


if __name__ == "__main__":
    main()
