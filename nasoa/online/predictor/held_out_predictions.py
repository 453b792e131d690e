"""Predictions for runs that the predictor had not learned, with the measured accuracies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class HeldOutPredictions:
    """Held-out predictions for `n` runs.

    Args:
        tasks: `n` names of tasks (`nasoa.online.task.task_name`).
        experts: `(n, K)` predictions of the mixture's experts.
        targets: `(n,)` true values, on the experts' scale.
        mixture: `(n,)` accuracies predicted by the mixture.
        average: `(n,)` accuracies predicted by the best on average.
        accuracies: `(n,)` measured accuracies.
    """

    tasks: Sequence[str]
    experts: Array
    targets: Array
    mixture: Array
    average: Array
    accuracies: Array

    def take(self, indices: NDArray[np.intp]) -> HeldOutPredictions:
        """Return the runs at these indices."""
        return HeldOutPredictions(
            tasks=[self.tasks[index] for index in indices],
            experts=self.experts[indices],
            targets=self.targets[indices],
            mixture=self.mixture[indices],
            average=self.average[indices],
            accuracies=self.accuracies[indices],
        )

    def by_task(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of each task's runs, tasks in order of first appearance."""
        names = np.array(self.tasks)
        for name in dict.fromkeys(self.tasks):
            yield np.flatnonzero(names == name)

    @staticmethod
    def concat(parts: Sequence[HeldOutPredictions]) -> HeldOutPredictions:
        """Concatenate all parts, in order."""
        return HeldOutPredictions(
            tasks=[task for part in parts for task in part.tasks],
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in ("experts", "targets", "mixture", "average", "accuracies")
            },
        )
