"""The best on average: the baseline that a predictor has to beat.

It expects of a run what is expected without experience, plus the average, over all tasks, of what
runs of the same kind had beyond that; for a kind that was never tried, nothing is added. Means are
on the scale of log-odds and shrunk towards the mean of all runs: `n` runs count as `n` next to two
without effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State, join, part
from nasoa.online.predictor.known_runs import KEY_BYTES, KnownRuns
from nasoa.online.predictor.tally import Tally
from nasoa.online.regimes.log_odds import log_odds

MOST_SURPRISE = 4.0  # log-odds; bounds the effect that one failed run has on its kind
LEVEL_SHRINKAGE = 2.0


class BestOnAverage:
    """Predicts the expectation without experience plus the mean effects of kind and task."""

    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0.0
        self._tasks = Tally()
        self._kinds = Tally()

    @property
    def level(self) -> float:
        """Mean difference of all runs from what was expected, in log-odds."""
        return self._total / (self._count + LEVEL_SHRINKAGE)

    def expected(self, runs: KnownRuns) -> Array:
        """Return the expected log-odds of `n` runs, `(n,)`."""
        own = np.array([self._kinds.get(kind)[0] for kind in runs.kinds])
        of_task = np.array([self._tasks.get(task)[0] for task in runs.tasks])
        return np.asarray(runs.expected + self.level + of_task + own, dtype=np.float64)

    def learn(self, run: KnownRuns, accuracy: float) -> None:
        """Learn one run and its accuracy."""
        expected = float(run.expected[0])
        surprise = float(log_odds(accuracy)) - expected
        bounded = min(max(surprise, -MOST_SURPRISE), MOST_SURPRISE)
        known = float(self.expected(run)[0]) - expected
        self._tasks.update(run.tasks[0], bounded - known)
        self._kinds.update(run.kinds[0], bounded - known)
        self._total += bounded
        self._count += 1.0

    def state(self) -> State:
        """Return the complete state as arrays."""
        parts = {name: tally.state(KEY_BYTES) for name, tally in self._tallies().items()}
        return {**join(parts), "level": np.array([self._total, self._count])}

    def _tallies(self) -> dict[str, Tally]:
        return {"tasks": self._tasks, "kinds": self._kinds}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BestOnAverage:
        """Restore the object that `state()` was called on."""
        average = cls()
        average._total, average._count = state["level"].tolist()
        average._tasks = Tally.from_state(part(state, "tasks"))
        average._kinds = Tally.from_state(part(state, "kinds"))
        return average
