"""How long a regime takes on one task, and the longest that fits a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from nasoa.errors import InvalidInput
from nasoa.online.regime_space import Configuration
from nasoa.records import Regime, ZooEntry


class TimeModel(Protocol):
    """Predicted seconds on some hardware (the step-time table of section 3.2.2)."""

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Seconds of one update."""

    def fixed_s(
        self,
        entry: ZooEntry,
        resolution: int,
        *,
        num_train: int,
        num_val: int,
        num_test: int,
        cached: bool,
    ) -> float:
        """Seconds whatever the iterations: caching features, validating, testing, saving."""


class TaskTimes:
    """A time model for one task; each time is asked for once.

    Args:
        model: seconds on this hardware.
        zoo: the models by name.
        num_train: training images of the task.
        num_val: validation images.
        num_test: test images.
    """

    def __init__(
        self,
        model: TimeModel,
        zoo: Mapping[str, ZooEntry],
        *,
        num_train: int,
        num_val: int,
        num_test: int,
    ) -> None:
        if num_train < 1:
            raise InvalidInput(f"Expected at least 1 training image but there are {num_train}")
        self.model = model
        self.zoo = zoo
        self.num_train = num_train
        self.num_val = num_val
        self.num_test = num_test
        self._costs: dict[tuple[str, int, int, int, bool], tuple[float, float]] = {}

    def cost_s(self, choice: Configuration | Regime) -> tuple[float, float]:
        """Seconds whatever the iterations, and seconds of one iteration."""
        cached = choice.cached_features
        key = (choice.model, choice.resolution, choice.batch_size, choice.frozen_stages, cached)
        if key not in self._costs:
            entry = self.zoo[choice.model]
            fixed_s = self.model.fixed_s(
                entry,
                choice.resolution,
                num_train=self.num_train,
                num_val=self.num_val,
                num_test=self.num_test,
                cached=cached,
            )
            step_s = self.model.step_time_s(
                entry, choice.resolution, choice.batch_size, choice.frozen_stages, cached
            )
            self._costs[key] = (fixed_s, step_s)
        return self._costs[key]

    def predicted_s(self, regime: Regime) -> float:
        """Seconds that the regime takes in all."""
        fixed_s, step_s = self.cost_s(regime)
        return fixed_s + regime.iterations * step_s

    def largest_iterations(self, configuration: Configuration, budget_s: float) -> int:
        """The most iterations that fit; at most 0 where nothing does."""
        fixed_s, step_s = self.cost_s(configuration)
        return math.floor((budget_s - fixed_s) / step_s)

    def epochs_to_iterations(self, configuration: Configuration, epochs: float) -> int:
        """Iterations of so many passes over the training images, at least 1."""
        return max(1, math.floor(epochs * self.num_train / configuration.batch_size))
