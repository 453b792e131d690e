"""Predicted times of regimes on one task, and their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nasoa.config import FineTuneConfig
from nasoa.errors import InvalidInput
from nasoa.online.regimes.run_table import RunTable
from nasoa.records import HEAD_ONLY, Regime, ZooEntry
from nasoa.zoo.task_size import TaskSize

Array = NDArray[np.float64]

# Bounds for packing what a step's time depends on into one integer key of at most 63 bits.
MOST_PIXELS = 1 << 16
MOST_BATCH = 1 << 20


class TimeModel(Protocol):
    """Predicted seconds on some hardware (the step-time table of section 3.2.2)."""

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the seconds of one update."""

    def fixed_s(
        self, entry: ZooEntry, resolution: int, size: TaskSize, frozen_stages: int, cached: bool
    ) -> float:
        """Return the seconds that do not depend on the number of iterations.

        These are feature extraction, the first head, validation and saving, but neither the test
        nor the fit of a head alone.
        """

    def fit_s(self, entry: ZooEntry, num_images: int, num_classes: int) -> float:
        """Return the seconds of fitting a head to the features of some images."""

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        """Return the seconds per image of classification in batches."""

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the standard deviation of the logarithm of true over predicted seconds."""


@dataclass(frozen=True)
class Costs:
    """Columns `(n,)`: fixed seconds, seconds of one iteration, and their error.

    `error` is the standard deviation of the logarithm of true over predicted seconds.
    """

    fixed_s: Array
    step_s: Array
    error: Array

    def take(self, indices: NDArray[np.intp]) -> Costs:
        """Return the costs at these indices."""
        return Costs(self.fixed_s[indices], self.step_s[indices], self.error[indices])


class TaskTimes:
    """Predicted times on one task; the time model is queried once for each distinct setting.

    Args:
        model: time model of this hardware.
        zoo: zoo entries by name.
        size: numbers of images and classes of the task.
        image_resolution: median shorter side of its images, in pixels.
        is_exact: whether predicted times have no error, as with a step clock.
        limit_s: the task's time limit in seconds. Only a fraction of it is spent on the test, for
            which some of the test images are enough.
        is_mirrored: whether mirror images have the same class. Features and predictions are then
            averaged over both sides, where testing leaves time.
    """

    def __init__(
        self,
        model: TimeModel,
        zoo: Mapping[str, ZooEntry],
        size: TaskSize,
        *,
        image_resolution: int,
        is_exact: bool = False,
        limit_s: float = math.inf,
        is_mirrored: bool = False,
    ) -> None:
        if size.num_train < 1:
            raise InvalidInput(f"Expected at least 1 training image but there are {size.num_train}")
        self.model = model
        self.zoo = zoo
        self.size = size
        self.image_resolution = image_resolution
        self.is_exact = is_exact
        self.limit_s = limit_s
        self.is_mirrored = is_mirrored
        self._config = FineTuneConfig()
        self._costs: dict[tuple[str, int, int, int, bool], tuple[float, float, float]] = {}

    def costs(self, table: RunTable) -> Costs:
        """Return the costs of configurations."""
        sizes = (table.resolution, table.batch_size, table.frozen_stages, table.cached_features)
        resolution, batch, frozen, cached = (values.astype(np.int64) for values in sizes)
        key = (table.model.codes * MOST_PIXELS + resolution) * MOST_BATCH + batch
        key = (key * 8 + frozen + 1) * 2 + cached
        _, first, rows = np.unique(key, return_index=True, return_inverse=True)
        distinct = [
            self._cost(
                table.model[index],
                int(resolution[index]),
                int(batch[index]),
                int(frozen[index]),
                bool(cached[index]),
            )
            for index in first.tolist()
        ]
        columns = np.array(distinct, dtype=np.float64).reshape(-1, 3)[rows]
        return Costs(columns[:, 0], columns[:, 1], columns[:, 2])

    def _cost(
        self, model: str, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> tuple[float, float, float]:
        """Return fixed seconds, seconds of a step, and relative error."""
        key = (model, resolution, batch_size, frozen_stages, cached)
        if key not in self._costs:
            entry = self.zoo[model]
            fixed_s = self.model.fixed_s(entry, resolution, self.size, frozen_stages, cached)
            fixed_s += self._test_s(entry, resolution)
            fixed_s += self._mirrored_s(entry, resolution, frozen_stages, cached)
            step = (entry, resolution, batch_size, frozen_stages, cached)
            error = 0.0 if self.is_exact else self.model.relative_error(*step)
            step_s = self.model.step_time_s(*step)
            if frozen_stages == HEAD_ONLY:
                step_s += batch_size * self._fit_image_s(entry)
            self._costs[key] = (fixed_s, step_s, error)
        return self._costs[key]

    def _fit_image_s(self, entry: ZooEntry) -> float:
        """Return what each image adds to the seconds of a fit."""
        size = self.size
        return self.model.fit_s(entry, size.num_train, size.num_classes) / size.num_train

    def _test_s(self, entry: ZooEntry, resolution: int) -> float:
        whole_s = self.model.eval_image_s(entry, resolution) * self.size.num_test
        return min(whole_s, self._config.most_test_s(self.limit_s))

    def _mirrored_s(
        self, entry: ZooEntry, resolution: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the seconds that mirror images add to what does not depend on the iterations."""
        size, image_s = self.size, self.model.eval_image_s(entry, resolution)
        features_s = image_s * (size.num_train + size.num_val)
        is_added = (
            self.is_mirrored
            and features_s < self._config.mirror_time_fraction * self.limit_s
            and self._config.may_mirror(image_s, size.num_test, self.limit_s)
        )
        if not is_added:
            return 0.0
        # A head alone gets mirror images of training images only if time is left.
        trained = size.num_train if cached and frozen_stages != HEAD_ONLY else 0
        return image_s * (trained + size.num_val + size.num_test)

    def predicted_s(self, regime: Regime) -> float:
        """Return the total seconds of a regime."""
        fixed_s, step_s, _error = self._cost(
            regime.model,
            regime.resolution,
            regime.batch_size,
            regime.frozen_stages,
            regime.cached_features,
        )
        return fixed_s + regime.iterations * step_s
