"""Measures step times of a model on the hardware at hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasoa.arch import StagedNetwork, measure_parts
from nasoa.config import TrainingConfig
from nasoa.records import ZooEntry
from nasoa.training.hardware import hardware_key
from nasoa.training.inputs import split_network
from nasoa.training.precision import Precision, precision_for
from nasoa.training.sgd import NesterovSGD
from nasoa.zoo.step_times import StepTime

WARMUP = 2
MAX_ROW_S = 10.0
PROFILED_LR = 1e-3  # small: times must not depend on a diverging loss


def profile(
    entry: ZooEntry,
    network: StagedNetwork,
    *,
    resolution: int,
    batch_size: int,
    frozen_stages: int,
    repeats: int = 10,
) -> StepTime:
    """Forward, backward and update of random batches; medians after a warm-up.

    Fewer repeats are made where they take more than ten seconds.

    The network's weights are changed.
    """
    precision = precision_for(network)
    precision.place(network)
    prefix, trainable = split_network(network, frozen_stages)
    config = TrainingConfig(
        lr=PROFILED_LR, lr_schedule="constant", iterations=0, batch_size=batch_size
    )
    optimizer = NesterovSGD(trainable, config)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch_size, 3, resolution, resolution, generator=generator)
    images = precision.place_images(images)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=precision.device)

    def train_step() -> None:
        _train_step(prefix, trainable, optimizer, precision, images, labels)

    def evaluate() -> None:
        network.eval()
        with torch.inference_mode(), precision.autocast():
            network(images)

    costs = measure_parts(network, resolution)
    return StepTime(
        hardware=hardware_key(),
        model=entry.name,
        resolution=resolution,
        batch_size=batch_size,
        frozen_stages=frozen_stages,
        step_s=_median_s(train_step, repeats, precision),
        eval_image_s=_median_s(evaluate, repeats, precision) / batch_size,
        part_macs=tuple(cost.macs for cost in costs),
        part_activations=tuple(cost.activations for cost in costs),
    )


def _train_step(
    prefix: nn.Module,
    trainable: nn.Module,
    optimizer: NesterovSGD,
    precision: Precision,
    images: Tensor,
    labels: Tensor,
) -> None:
    prefix.train()
    trainable.train()
    with precision.autocast():
        with torch.no_grad():
            features = prefix(images)
        loss = functional.cross_entropy(trainable(features).float(), labels)
    loss.backward()
    optimizer.step(PROFILED_LR)


def _median_s(work: Callable[[], None], repeats: int, precision: Precision) -> float:
    seconds: list[float] = []
    for _ in range(WARMUP + repeats):
        # One repeat of a step that takes very long is enough.
        if len(seconds) > WARMUP and sum(seconds) > MAX_ROW_S:
            break
        started = time.perf_counter()
        work()
        if precision.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARMUP:])
