"""Candidates of a task by predicted accuracy, best first, each with its interval and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.choice.exploration import most_informative
from nasoa.online.choice.preselection import preselect
from nasoa.online.choice.reasons import reasons
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.candidates import CandidateTable
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.regime_table import RegimeTable
from nasoa.records import Candidate, MetaFeatures, Probe, ZooEntry

Array = NDArray[np.float64]
Places = NDArray[np.intp]

SAMPLE = 160  # candidates that the preselection asks the predictor about
KEPT = 240  # candidates that get a full prediction
UNPROBED_CAUTION = 0.3  # log-odds
BORROWED_SHARE = 0.3  # of that, where another model of the same source was probed
EXPLORED = 40  # the best ones, of which one may be explored


@dataclass(frozen=True)
class Ranking:
    """Candidates, best first but where the first is explored.

    `cost`: by how much the first is predicted to be below the best.
    """

    candidates: tuple[Candidate, ...]
    explores: bool
    cost: float


class Ranker:
    """Ranks the candidates of one task.

    Args:
        predictor: what is known.
        meta: of the task.
        task: its name (`nasoa.online.task.task_name`).
        zoo: the models by name.
        probes: what was measured of models on the task.
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

    def rank(self, candidates: CandidateTable, top: int, *, explore: float = 0.0) -> Ranking:
        """The `top` candidates; of equally good ones the quicker comes first.

        Args:
            candidates: of models of the zoo, at least one.
            top: at most so many are returned.
            explore: accuracy that may be given up to learn (`nasoa.online.choice.exploration`).
        """
        everything = candidates.table(self._meta, self._zoo, self._probes)
        defaults = self._predictor.defaults(everything)
        places = self._worth_predicting(candidates, everything, defaults)
        table, defaults_kept = everything.take(places), defaults[places]
        scores = self._predictor.expected(table, [self._task], defaults_kept)
        # Of a model that was not probed the prediction is less sure, and far less where none that
        # was pretrained like it was.
        caution = np.where(np.isnan(table.probe_gain), 1.0, BORROWED_SHARE * table.is_borrowed)
        cautious = scores - UNPROBED_CAUTION * caution
        order = np.lexsort((candidates.seconds[places], -cautious))
        accuracies = from_log_odds(scores)
        best = order[:top]
        if explore > 0.0 and self._predictor.decides:
            first = self._to_explore(table, defaults_kept, accuracies, order[:EXPLORED], explore)
            best = np.concatenate([[first], order[order != first]])[:top]
        chosen = table.take(best)
        lows, highs = self._predictor.intervals(chosen, [self._task], defaults_kept[best])
        median = everything.take(
            np.argpartition(defaults, len(defaults) // 2)[[len(defaults) // 2]]
        )
        why = reasons(chosen, median, self._accuracies)
        found = [
            Candidate(
                regime=candidates.regime(int(places[place])),
                predicted_accuracy=float(accuracies[place]),
                interval=(float(low), float(high)),
                predicted_s=float(candidates.seconds[places[place]]),
                reasons=own,
            )
            for place, low, high, own in zip(best.tolist(), lows, highs, why, strict=True)
        ]
        return Ranking(
            candidates=tuple(found),
            explores=bool(best[0] != order[0]),
            cost=float(accuracies[order[0]] - accuracies[best[0]]),
        )

    def _worth_predicting(
        self, candidates: CandidateTable, table: RegimeTable, defaults: Array
    ) -> Places:
        """Places of the candidates that get a full prediction; all, where that is cheap."""
        if not self._predictor.decides:
            return np.arange(len(candidates))

        def added(places: Places) -> Array:
            base = defaults[places]
            return self._predictor.expected(table.take(places), [self._task], base) - base

        return preselect(candidates, defaults, added, sample=SAMPLE, kept=KEPT)

    def _to_explore(
        self, table: RegimeTable, defaults: Array, accuracies: Array, best: Places, cost: float
    ) -> int:
        """The place of the one to explore among the best."""
        lows, highs = self._predictor.intervals(table.take(best), [self._task], defaults[best])
        return int(best[most_informative(accuracies[best], highs - lows, cost)])

    def _accuracies(self, table: RegimeTable, is_own: NDArray[np.bool_]) -> Array:
        """What is predicted of rows of this task, or of a task that nothing is known of."""
        tasks = [self._task if own else "" for own in is_own]
        return from_log_odds(
            self._predictor.expected(table, tasks, self._predictor.defaults(table))
        )
