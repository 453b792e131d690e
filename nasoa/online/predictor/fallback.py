"""The best on average: what a sceptic would choose without any predictor.

Runs of one kind have brought so much more, or less, than was expected of them without experience,
on average over all tasks. What a kind has never been tried for is expected to bring what was
expected anyway. Means are on the scale of log-odds and shrunk to what is known of all: `n` runs
count as `n` beside two of no effect.
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

MOST_SURPRISE = 4.0  # log-odds; one run that failed must not condemn a kind
LEVEL_SHRINKAGE = 2.0


class BestOnAverage:
    """Expects what is expected without experience and what kind and task brought beyond it."""

    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0.0
        self._tasks = Tally()
        self._kinds = Tally()

    @property
    def level(self) -> float:
        """What all runs brought beyond what was expected, on average; log-odds."""
        return self._total / (self._count + LEVEL_SHRINKAGE)

    def expected(self, runs: KnownRuns) -> Array:
        """`(n,)` log-odds of `n` runs."""
        own = np.array([self._kinds.get(kind)[0] for kind in runs.kinds])
        of_task = np.array([self._tasks.get(task)[0] for task in runs.tasks])
        return np.asarray(runs.expected + self.level + of_task + own, dtype=np.float64)

    def learn(self, run: KnownRuns, accuracy: float) -> None:
        """Count one run and what it reached."""
        expected = float(run.expected[0])
        surprise = float(log_odds(accuracy)) - expected
        bounded = min(max(surprise, -MOST_SURPRISE), MOST_SURPRISE)
        known = float(self.expected(run)[0]) - expected
        self._tasks.move(run.tasks[0], bounded - known)
        self._kinds.move(run.kinds[0], bounded - known)
        self._total += bounded
        self._count += 1.0

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {name: tally.state(KEY_BYTES) for name, tally in self._tallies().items()}
        return {**join(parts), "level": np.array([self._total, self._count])}

    def _tallies(self) -> dict[str, Tally]:
        return {"tasks": self._tasks, "kinds": self._kinds}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BestOnAverage:
        """The one that `state()` was called on."""
        average = cls()
        average._total, average._count = state["level"].tolist()
        average._tasks = Tally.from_state(part(state, "tasks"))
        average._kinds = Tally.from_state(part(state, "kinds"))
        return average
