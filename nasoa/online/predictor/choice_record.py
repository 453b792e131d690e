"""Whether the predictor may choose: its record against the best on average.

A user's task has one run, so nothing shows what another regime would have reached there, and the
regret of a choice is unknown. Two records can be had honestly, both of predictions that were made
before the outcome was learned:

- Regret. Where several runs of one task are learned together, as a table of known fine-tunes brings
  them, both are asked first whom they would have chosen among these. This is the record that
  counts, but a stream of users' tasks hardly adds to it.
- Error. Every run adds to it: the absolute errors of both for the run that was made. It knows
  nothing of regimes that were not tried, but where a predictor is worse at what was, there is no
  ground to follow it elsewhere.

Of both the difference is summed, predictor less best on average, old ones discounted, so that they
speak of about the latest 50 tasks and runs. The predictor is worse where the sum is above 0 by more
than the root of the sum of squares, which is what differences of random signs come to. While it is
worse in either, the best on average chooses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State

TIE = 1e-12

LEAST_TASKS = 3
LEAST_RUNS = 20
DISCOUNT = 0.98


class Difference:
    """A discounted sum of differences, and whether it is more than chance."""

    def __init__(self, count: int = 0, total: float = 0.0, squares: float = 0.0) -> None:
        self.count = count
        self.total = total
        self.squares = squares

    def observe(self, difference: float) -> None:
        """Count one more."""
        self.count += 1
        self.total = DISCOUNT * self.total + difference
        self.squares = DISCOUNT**2 * self.squares + difference**2

    def is_positive(self, least: int) -> bool:
        """Whether the sum, of at least so many, is above 0 by more than random signs would do."""
        return self.count >= least and self.total > 1.001 * math.sqrt(self.squares)

    def state(self) -> Array:
        """Everything there is to keep."""
        return np.array([self.count, self.total, self.squares])

    @classmethod
    def from_state(cls, state: NDArray[Any]) -> Difference:
        """The one that `state()` was called on."""
        count, total, squares = state.tolist()
        return cls(int(count), total, squares)


class ChoiceRecord:
    """By how much the predictor's regrets and errors exceed those of the best on average."""

    def __init__(self) -> None:
        self._regret = Difference()
        self._error = Difference()

    @property
    def worse_in(self) -> str:
        """Where the predictor's record is worse: "regret", "error", or "" for neither."""
        if self._regret.is_positive(LEAST_TASKS):
            return "regret"
        return "error" if self._error.is_positive(LEAST_RUNS) else ""

    def observe_task(self, predicted: Array, average: Array, accuracies: Array) -> None:
        """Note what both said of `n` runs of a task, `(n,)` each, before these were learned."""
        if len(accuracies) > 1:
            self._regret.observe(regret_of(predicted, accuracies) - regret_of(average, accuracies))

    def observe_run(self, predicted: float, average: float, accuracy: float) -> None:
        """Note what both said of a run before it was learned."""
        self._error.observe(abs(predicted - accuracy) - abs(average - accuracy))

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {"regret": self._regret.state(), "error": self._error.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ChoiceRecord:
        """The record that `state()` was called on."""
        record = cls()
        record._regret = Difference.from_state(state["regret"])
        record._error = Difference.from_state(state["error"])
        return record


def regret_of(scores: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    """Expected regret of the choice; of equal scores each is as likely."""
    chosen = scores >= scores.max() - TIE
    return float(targets.max() - targets[chosen].mean())
