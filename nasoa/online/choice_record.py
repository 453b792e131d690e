"""Whether the predictor may choose: its record against the best on average.

A user's task has one run, so nothing shows what another regime would have reached there, and the
regret of a choice is unknown. Two records can be had honestly, both of predictions that were made
before the outcome was learned:

- Choice. Where several runs of one task are learned together, as a table of known fine-tunes
  brings them, both are asked first whom they would have chosen among these. The difference of the
  regrets, summed over tasks, says who chooses better. This is the record that counts, but a stream
  of users' tasks hardly adds to it.
- Error. Every run adds to it: the absolute errors of both for the run that was made. Old ones are
  discounted, so that it speaks of about the latest 50. It knows nothing of regimes that were not
  tried, but where a predictor is worse at what was, there is no ground to follow it elsewhere.

While either is worse than that of the best on average, the best on average chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.layout import Array, State
from nasoa.online.selection import regret_of

LEAST_TASKS = 3
LEAST_RUNS = 10
DISCOUNT = 0.98


class ChoiceRecord:
    """Regrets and errors of the predictor and of the best on average."""

    def __init__(self) -> None:
        self.num_tasks = 0
        self.num_runs = 0
        self._regrets = np.zeros(2)
        self._errors = np.zeros(2)

    @property
    def worse_in(self) -> str:
        """Where the predictor's record is worse: "regret", "error", or "" for neither."""
        if self.num_tasks >= LEAST_TASKS and self._regrets[0] > self._regrets[1]:
            return "regret"
        if self.num_runs >= LEAST_RUNS and self._errors[0] > self._errors[1]:
            return "error"
        return ""

    @property
    def mean_regrets(self) -> tuple[float, float]:
        """Of the predictor, and of the best on average; zeros while there are none."""
        own, average = (self._regrets / max(self.num_tasks, 1)).tolist()
        return own, average

    def observe_task(self, predicted: Array, average: Array, accuracies: Array) -> None:
        """Note what both said of `n` runs of a task, `(n,)` each, before these were learned."""
        if len(accuracies) > 1:
            found = [regret_of(predicted, accuracies), regret_of(average, accuracies)]
            self._regrets = self._regrets + found
            self.num_tasks += 1

    def observe_run(self, predicted: float, average: float, accuracy: float) -> None:
        """Note what both said of a run before it was learned."""
        found = np.abs(np.array([predicted, average]) - accuracy)
        self._errors = DISCOUNT * self._errors + found
        self.num_runs += 1

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {
            "counts": np.array([self.num_tasks, self.num_runs]),
            "sums": np.stack([self._regrets, self._errors]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ChoiceRecord:
        """The record that `state()` was called on."""
        record = cls()
        record.num_tasks, record.num_runs = (int(count) for count in state["counts"])
        record._regrets, record._errors = np.array(state["sums"])
        return record
