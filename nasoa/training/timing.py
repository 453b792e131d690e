"""Measure how long the steps of a network take on this hardware.

A time is the median of several repeats after a warm-up; fewer repeats are made if they take long.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasoa.arch import StagedNetwork
from nasoa.config import TrainingConfig
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.graphs import record
from nasoa.training.inputs import split_network
from nasoa.training.precision import Precision, precision_for
from nasoa.training.sgd import NesterovSGD
from nasoa.training.weight_gradients import use_matrix_gradients

WARMUP = 2
LONGEST_S = 10.0
TIMED_LR = 1e-3  # small, so that the loss does not diverge and affect the times


class TimedSteps:
    """Times the steps of a network on a random batch, which changes its weights.

    Args:
        network: network, which is moved to the device.
        precision: device and number format; by default the fastest for training the network.
        frozen_stages: see `split_network`.
        resolution: height and width of the images in pixels.
        batch_size: images per batch.
        longest_s: seconds of one kind of step after which no further repeat is made.
    """

    def __init__(
        self,
        network: StagedNetwork,
        precision: Precision | None = None,
        *,
        frozen_stages: int,
        resolution: int,
        batch_size: int,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._longest_s = longest_s
        self._precision = precision = precision or precision_for(network)
        precision.place(network)
        prefix, self._trainable = split_network(network, frozen_stages)
        self._prefix = FrozenPrefix(prefix, precision)
        self._whole = nn.Sequential(*network.parts)
        use_matrix_gradients(self._trainable, precision)
        self._is_recorded = False
        config = TrainingConfig(
            lr=TIMED_LR, lr_schedule="constant", iterations=0, batch_size=batch_size
        )
        self._optimizer = NesterovSGD(self._trainable, config)
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(batch_size, 3, resolution, resolution, generator=generator)
        self._images = precision.place_images(images)
        self._labels = torch.zeros(batch_size, dtype=torch.int64, device=precision.device)

    def step_s(self, repeats: int) -> float:
        """Return the seconds of a training step: forward, backward and update of one batch."""
        self._prepare()
        return self._median_s(self._step, repeats)

    def cached_step_s(self, repeats: int) -> float:
        """Return the seconds of a training step on features of the frozen part."""
        self._prepare()
        features = self._features()
        return self._median_s(lambda: self._train(features), repeats)

    def forward_s(self, repeats: int) -> float:
        """Return the seconds of classifying one batch with the network as a frozen prefix."""
        frozen = FrozenPrefix(self._whole, self._precision)
        return self._median_s(lambda: frozen(self._images), repeats)

    def _prepare(self) -> None:
        self._trainable.train()
        if not self._is_recorded:
            record(self._trainable, self._features(), self._precision)
            self._is_recorded = True

    def _features(self) -> Tensor:
        return self._prefix(self._images)

    def _step(self) -> None:
        self._train(self._features())

    def _train(self, features: Tensor) -> None:
        with self._precision.autocast():
            loss = functional.cross_entropy(self._trainable(features).float(), self._labels)
        loss.backward()
        self._optimizer.step(TIMED_LR)

    def _median_s(self, work: Callable[[], object], repeats: int) -> float:
        seconds: list[float] = []
        for _ in range(WARMUP + repeats):
            # One repeat of a step that takes very long is enough, even without a warm-up.
            if sum(seconds) > self._longest_s:
                break
            started = time.perf_counter()
            work()
            if self._precision.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds[WARMUP:] or seconds[-1:])
