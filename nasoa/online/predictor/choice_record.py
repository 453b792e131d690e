"""Whether the predictor may choose: its record compared with that of the best on average.

A user's task has one run, so the accuracy that another regime would have had there is unknown, and
so is the regret of the choice. Two records can be measured without bias, both from predictions that
were made before the outcome was learned:

- Regret. If several runs of one task are learned together, as from a table of collected fine-tunes,
  both predictors are first asked which of these runs they would have chosen. This is the record
  that matters, but a stream of users' tasks adds little to it.
- Error. Every run adds to it: the absolute errors of both predictors for that run. It contains
  nothing about regimes that were not tried, but a predictor that is worse on those that were is not
  to be trusted elsewhere.

For both records, the differences, predictor minus best on average, are summed and older ones are
discounted, so that each sum covers about the latest 50 tasks or runs. The predictor is worse if the
sum is above 0 by more than the root of the sum of squares, which is the size that differences of
random signs have. While it is worse in either record, the best on average chooses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions

TIE = 1e-12

LEAST_TASKS = 3
LEAST_RUNS = 20
DISCOUNT = 0.98


class Difference:
    """A discounted sum of differences, with a test of whether it exceeds random variation."""

    def __init__(self, count: int = 0, total: float = 0.0, squares: float = 0.0) -> None:
        self.count = count
        self.total = total
        self.squares = squares

    @classmethod
    def settled(cls, differences: Array) -> Difference:
        """Return the sums that a long stream of such differences, in random order, settles at."""
        count = len(differences)
        if not count:
            return cls()
        total = float(differences.mean()) / (1.0 - DISCOUNT)
        return cls(count, total, float((differences**2).mean()) / (1.0 - DISCOUNT**2))

    def observe(self, difference: float) -> None:
        """Add one difference."""
        self.count += 1
        self.total = DISCOUNT * self.total + difference
        self.squares = DISCOUNT**2 * self.squares + difference**2

    def is_positive(self, least: int) -> bool:
        """Return whether the sum, of at least `least` differences, exceeds that of random signs."""
        return self.count >= least and self.total > 1.001 * math.sqrt(self.squares)

    def state(self) -> Array:
        """Return the complete state as an array."""
        return np.array([self.count, self.total, self.squares])

    @classmethod
    def from_state(cls, state: NDArray[Any]) -> Difference:
        """Restore the sum that `state()` was called on."""
        count, total, squares = state.tolist()
        return cls(int(count), total, squares)


class ChoiceRecord:
    """How far the predictor's regrets and errors exceed those of the best on average."""

    def __init__(self) -> None:
        self._regret = Difference()
        self._error = Difference()

    @property
    def fallback_reason(self) -> str:
        """The record in which the predictor is worse: "regret", "error", or "" if neither."""
        if self._regret.is_positive(LEAST_TASKS):
            return "regret"
        return "error" if self._error.is_positive(LEAST_RUNS) else ""

    @classmethod
    def of_held_out(cls, held_out: HeldOutPredictions) -> ChoiceRecord:
        """Return the record of predictions for runs that were not learned.

        All of them count, in whatever order they come. With the latest 50 only, whether the
        predictor may choose would depend on a shuffle.
        """
        record, mixture, average = cls(), held_out.mixture, held_out.average
        regrets = [
            regret_of(mixture[task], held_out.accuracies[task])
            - regret_of(average[task], held_out.accuracies[task])
            for task in held_out.by_task()
            if len(task) > 1
        ]
        errors = np.abs(mixture - held_out.accuracies) - np.abs(average - held_out.accuracies)
        record._regret = Difference.settled(np.array(regrets))
        record._error = Difference.settled(errors)
        return record

    def observe_task(self, predicted: Array, average: Array, accuracies: Array) -> None:
        """Record both predictions, `(n,)` each, for `n` runs of a task, made before learning."""
        if len(accuracies) > 1:
            self._regret.observe(regret_of(predicted, accuracies) - regret_of(average, accuracies))

    def observe_run(self, predicted: float, average: float, accuracy: float) -> None:
        """Record both predictions for a run, made before learning it."""
        self._error.observe(abs(predicted - accuracy) - abs(average - accuracy))

    def state(self) -> State:
        """Return the complete state as arrays."""
        return {"regret": self._regret.state(), "error": self._error.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ChoiceRecord:
        """Restore the record that `state()` was called on."""
        record = cls()
        record._regret = Difference.from_state(state["regret"])
        record._error = Difference.from_state(state["error"])
        return record


def regret_of(scores: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    """Return the expected regret of the choice; candidates with equal scores are equally likely."""
    chosen = scores >= scores.max() - TIE
    return float(targets.max() - targets[chosen].mean())
