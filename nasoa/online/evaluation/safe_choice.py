"""A choice that is not worse than the best configuration on average."""

from __future__ import annotations

import numpy as np

from nasoa.online.evaluation.selection import BestOnAverage
from nasoa.online.mixture.layout import Array
from nasoa.online.mixture.protocol import RowPredictor
from nasoa.online.predictor.choice_record import LEAST_TASKS, Difference, regret_of


class PredictedBest:
    """Chooses what a predictor says is best."""

    def __init__(self, predictor: RowPredictor) -> None:
        self.predictor = predictor

    def scores(self, rows: Array) -> Array:
        """Predicted target of each candidate."""
        return np.asarray(self.predictor.predict(rows))

    def learn_task(self, rows: Array, targets: Array) -> None:
        """Learn the runs, one after another."""
        self.predictor.learn(rows, targets)


class SafeChoice:
    """Chooses by a predictor, or by the best on average while that has the better record.

    When runs of a task come in, both are asked first whom they would have chosen among these; the
    difference of the two regrets, summed over tasks, is the record. So it costs no run, and both
    are judged on the same ones, of tasks that neither had seen. A difference that chance would make
    is none (`nasoa.online.predictor.choice_record`).

    Args:
        predictor: what is trusted until its record is worse.
    """

    def __init__(self, predictor: RowPredictor) -> None:
        self._predicted = PredictedBest(predictor)
        self._average = BestOnAverage(predictor.layout)
        self._behind = Difference()

    @property
    def falls_back(self) -> bool:
        """Whether the best on average has the better record by now."""
        return self._behind.is_positive(LEAST_TASKS)

    def scores(self, rows: Array) -> Array:
        """Scores of the one that is trusted."""
        return (self._average if self.falls_back else self._predicted).scores(rows)

    def learn_task(self, rows: Array, targets: Array) -> None:
        """Judge both on the runs, then learn them."""
        if len(rows) > 1:
            average = regret_of(self._average.scores(rows), targets)
            self._behind.observe(regret_of(self._predicted.scores(rows), targets) - average)
        self._average.learn_task(rows, targets)
        self._predicted.learn_task(rows, targets)
