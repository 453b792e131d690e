"""Ranking of a task's candidates by predicted accuracy, each with its interval and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.choice.exploration import most_informative
from nasoa.online.choice.preselection import preselect
from nasoa.online.choice.reasons import reasons
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import for_task
from nasoa.records import Candidate, MetaFeatures, Probe, ZooEntry

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

SAMPLE = 320  # candidates that the preselection evaluates the predictor on
KEPT = 640  # candidates that get a full prediction
UNPROBED_CAUTION = 0.3  # log-odds
BORROWED_SHARE = 0.3  # fraction of it that applies if another model of the same source was probed
# In log-odds: what a training adds to the head alone is predicted too high where it is predicted to
# be worth it (docs/decisions/0101-a-training-must-beat-the-head-alone-clearly.md).
TRAINING_CAUTION = 0.2
# Predicted accuracies this close are equal: a twentieth of a typical prediction interval, and less
# than the standard error of an accuracy measured on a thousand images. The quicker one is chosen.
ALIKE = 0.005
EXPLORED = 40  # number of best candidates that exploration may choose from


@dataclass(frozen=True)
class Ranking:
    """Candidates, best first, except that an explored one comes before the best.

    `cost`: how far the predicted accuracy of the first is below the best.
    """

    candidates: tuple[Candidate, ...]
    explores: bool
    cost: float


class Ranker:
    """Ranks the candidates of one task.

    Args:
        predictor: the predictor of accuracies.
        meta: meta-features of the task.
        task: name of the task (`nasoa.online.task.task_name`).
        zoo: models by name.
        probes: probes of models on the task.
    """

    def __init__(
        self,
        predictor: ExperiencePredictor,
        meta: MetaFeatures,
        task: str,
        zoo: Mapping[str, ZooEntry],
        probes: Sequence[Probe] = (),
    ) -> None:
        self._predictor = predictor
        self._meta = meta
        self._task = task
        self._zoo = zoo
        self._probes = probes

    def rank(self, candidates: RunTable, top: int, *, explore: float = 0.0) -> Ranking:
        """Rank the `top` candidates; of those as good as the best (`ALIKE`), the quickest is first.

        Args:
            candidates: candidates of the zoo's models, at least one.
            top: number of candidates to return at most.
            explore: accuracy that may be given up to learn (`nasoa.online.choice.exploration`).
        """
        everything = self._predictor.with_defaults(
            for_task(candidates, self._meta, self._task, self._zoo, self._probes)
        )
        table = everything.take(self._worth_predicting(everything))
        scores = self._predictor.expected(table)
        # The prediction for a model that was not probed is less certain, and much less so if no
        # model with the same pretraining was probed either.
        caution = np.where(table.is_probed, BORROWED_SHARE * table.is_borrowed, 1.0)
        cautious = scores - UNPROBED_CAUTION * caution - TRAINING_CAUTION * ~table.is_head
        order = _quickest_of_the_best_first(cautious, table.predicted_s)
        accuracies = from_log_odds(scores)
        best = order[:top]
        if explore > 0.0 and self._predictor.decides:
            first = self._to_explore(table, accuracies, order[:EXPLORED], explore)
            best = np.concatenate([[first], order[order != first]])[:top]
        chosen = table.take(best)
        lows, highs = self._predictor.intervals(chosen)
        middle = len(everything) // 2
        median = everything.take(np.argpartition(everything.defaults, middle)[[middle]])
        why = reasons(chosen, median, self._accuracies)
        found = [
            Candidate(
                regime=table.regime(index),
                predicted_accuracy=float(accuracies[index]),
                interval=(float(low), float(high)),
                predicted_s=float(table.predicted_s[index]),
                reasons=own,
            )
            for index, low, high, own in zip(best.tolist(), lows, highs, why, strict=True)
        ]
        return Ranking(
            candidates=tuple(found),
            explores=bool(best[0] != order[0]),
            cost=float(accuracies[order[0]] - accuracies[best[0]]),
        )

    def _worth_predicting(self, table: RunTable) -> Indices:
        """Return the indices of the candidates that get a full prediction; all if that is cheap."""
        if not self._predictor.decides:
            return np.arange(len(table))

        def added(indices: Indices) -> Array:
            return self._predictor.expected(table.take(indices)) - table.defaults[indices]

        return preselect(table, added, sample=SAMPLE, kept=KEPT)

    def _to_explore(self, table: RunTable, accuracies: Array, best: Indices, cost: float) -> int:
        """Return the index of the candidate to explore among the best."""
        lows, highs = self._predictor.intervals(table.take(best))
        return int(best[most_informative(accuracies[best], highs - lows, cost)])

    def _accuracies(self, table: RunTable) -> Array:
        """Predict the accuracies of a table whose `defaults` are not computed yet."""
        return from_log_odds(self._predictor.expected(self._predictor.with_defaults(table)))


def _quickest_of_the_best_first(scores: Array, seconds: Array) -> Indices:
    """Return the order by log-odds, ties by time, with the quickest of those alike in front."""
    order = np.lexsort((seconds, -scores))
    accuracies = from_log_odds(scores[order])
    alike = order[accuracies >= accuracies[0] - ALIKE]
    first = alike[np.argmin(seconds[alike])]
    return np.concatenate([[first], order[order != first]])
