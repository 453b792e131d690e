"""What a predictor said of runs that it had not learned, beside what these reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`n` runs.

    Args:
        tasks: `n` names (`nasoa.online.task.task_name`).
        experts: `(n, K)` what each expert of the mixture said.
        targets: `(n,)` what was to be said, on the experts' scale.
        mixture: `(n,)` accuracies by the mixture.
        average: `(n,)` accuracies by the best on average.
        accuracies: `(n,)` that were reached.
    """

    tasks: Sequence[str]
    experts: Array
    targets: Array
    mixture: Array
    average: Array
    accuracies: Array

    def take(self, places: NDArray[np.intp]) -> Judged:
        """The runs at these places."""
        return Judged(
            tasks=[self.tasks[place] for place in places],
            experts=self.experts[places],
            targets=self.targets[places],
            mixture=self.mixture[places],
            average=self.average[places],
            accuracies=self.accuracies[places],
        )

    def by_task(self) -> Iterator[NDArray[np.intp]]:
        """The places of each task's runs, tasks by first appearance."""
        names = np.array(self.tasks)
        for name in dict.fromkeys(self.tasks):
            yield np.flatnonzero(names == name)

    @staticmethod
    def joined(parts: Sequence[Judged]) -> Judged:
        """All of them, in order."""
        return Judged(
            tasks=[task for part in parts for task in part.tasks],
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in ("experts", "targets", "mixture", "average", "accuracies")
            },
        )
