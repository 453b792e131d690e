"""The mixture of experts, with the best on average to fall back on.

The mixture (`nasoa.online.mixture.mixture`) learns what each run reached beyond what was expected
of it without experience, as log-odds. So where there is no experience that expectation decides;
near what was tried the experience does; and in between one goes over into the other by as much as
the experts make of the likeness. What was added counts as the mean of `n` runs beside two that were
as expected, so a first run does not overthrow the expectation.

The choice is safe: while the mixture's record (`nasoa.online.predictor.choice_record`) is worse
than that of the best on average, the best on average decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.adaptive_interval import AdaptiveInterval
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.mixture import DefaultPredictor
from nasoa.online.predictor.choice_record import ChoiceRecord
from nasoa.online.predictor.fallback import BestOnAverage
from nasoa.online.predictor.judged import Judged
from nasoa.online.predictor.known_runs import KnownRuns
from nasoa.online.regimes.log_odds import LEAST, from_log_odds, log_odds, surplus

RUNS_AS_EXPECTED = 2.0  # as `nasoa.online.predictor.fallback` has it


class SafePredictor:
    """Predicts accuracies of runs and learns what they reached.

    Args:
        layout: of the runs' rows.
        seed: of every random choice.
        without: experts of the mixture to leave out, to measure what each adds.
        falls_back: whether the best on average may decide; to measure what that adds.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        seed: int = 0,
        without: Sequence[str] = (),
        falls_back: bool = True,
    ) -> None:
        self._mixture = DefaultPredictor(layout, seed=seed, without=without)
        self._average = BestOnAverage()
        self._average_interval = AdaptiveInterval()
        self._record = ChoiceRecord()
        self._falls_back = falls_back
        self.num_learned = 0

    @property
    def expert_weights(self) -> dict[str, float]:
        """What each expert of the mixture counts for, sum 1; empty where nothing was learned."""
        return self._mixture.weights if self.num_learned else {}

    @property
    def worse_in(self) -> str:
        """In what the mixture was worse than the best on average; "" where it decides."""
        return self._record.worse_in if self._falls_back else ""

    @property
    def decides(self) -> bool:
        """Whether the mixture decides: it has learned something and its record is good enough."""
        return self.num_learned > 0 and not self.worse_in

    def expected(self, runs: KnownRuns) -> Array:
        """`(n,)` log-odds that are predicted now."""
        return self._average.expected(runs) if self.worse_in else self._by_mixture(runs)

    def _by_mixture(self, runs: KnownRuns) -> Array:
        if not self.num_learned:
            return runs.expected
        added = np.asarray(self._mixture.predict(runs.rows))
        trust = self.num_learned / (self.num_learned + RUNS_AS_EXPECTED)
        return np.asarray(runs.expected + trust * log_odds(added), dtype=np.float64)

    def intervals(self, runs: KnownRuns) -> tuple[Array, Array]:
        """`(n,)` lowest and `(n,)` highest accuracies, such that 90 % are inside."""
        predicted = self.expected(runs)
        if not self.decides:
            return self._average_interval.around(from_log_odds(predicted))
        # Log-odds are monotone, so what holds 90 % of the surpluses holds 90 % of the accuracies.
        low, high = (
            runs.expected + log_odds(found) for found in self._mixture.intervals(runs.rows)
        )
        lows = from_log_odds(np.minimum(low, predicted))
        highs = from_log_odds(np.maximum(high, predicted))
        # Accuracies were cut before they were learned, so a bound at the cut holds all beyond it.
        return np.where(lows <= LEAST, 0.0, lows), np.where(highs >= 1.0 - LEAST, 1.0, highs)

    def learn(self, runs: KnownRuns, accuracies: Array) -> None:
        """Runs of one task that came together: judge the choice among them, then learn each.

        Args:
            runs: `n`.
            accuracies: `(n,)` in [0, 1].
        """
        self._record.observe_task(self._by_mixture(runs), self._average.expected(runs), accuracies)
        targets = surplus(accuracies, runs.expected)
        for place, accuracy in enumerate(accuracies.tolist()):
            run = runs.at(place)
            predicted = float(from_log_odds(self._by_mixture(run))[0])
            average = float(from_log_odds(self._average.expected(run))[0])
            self._observe(predicted, average, accuracy)
            self._average.learn(run, accuracy)
            self._mixture.learn(run.rows[0], float(targets[place]))
            self.num_learned += 1

    def _observe(self, predicted: float, average: float, accuracy: float) -> None:
        self._record.observe_run(predicted, average, accuracy)
        self._average_interval.observe(0.0, abs(average - accuracy))

    def judge(self, runs: KnownRuns, tasks: Sequence[str], accuracies: Array) -> Judged:
        """What is said now of runs that are not learned, beside what they reached.

        Args:
            runs: `n`.
            tasks: `n` names.
            accuracies: `(n,)`.

        Raises:
            InvalidInput: nothing was learned yet.
        """
        self._require_learned()
        return Judged(
            tasks=tasks,
            experts=self._mixture.expert_predictions(runs.rows),
            targets=surplus(accuracies, runs.expected),
            mixture=from_log_odds(self._by_mixture(runs)),
            average=from_log_odds(self._average.expected(runs)),
            accuracies=accuracies,
        )

    def take_record(self, judged: Judged) -> None:
        """Be trusted as this record says, and not as the own one does; what was learned stays.

        Args:
            judged: by like predictors that had learned nothing of the tasks.

        Raises:
            InvalidInput: nothing was learned yet.
        """
        self._require_learned()
        self._mixture.take_record(judged.experts, judged.targets)
        self._record, self._average_interval = ChoiceRecord(), AdaptiveInterval()
        for places in judged.by_task():
            self._record.observe_task(
                judged.mixture[places], judged.average[places], judged.accuracies[places]
            )
        for values in zip(judged.mixture, judged.average, judged.accuracies, strict=True):
            self._observe(*map(float, values))

    def _require_learned(self) -> None:
        if not self.num_learned:
            raise InvalidInput("expected a predictor that has learned something, got a new one")

    def state(self) -> State:
        """Everything there is to keep; `from_state` gives an equal predictor back."""
        parts = {
            "average": self._average.state(),
            "average_interval": self._average_interval.state(),
            "record": self._record.state(),
            "mixture": self._mixture.state(),
        }
        own = np.array([self.num_learned, int(self._falls_back)])
        return {**join(parts), "own": own}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[np.generic]]) -> SafePredictor:
        """The predictor that `state()` was called on."""
        predictor = cls.__new__(cls)
        num_learned, falls_back = state["own"].tolist()
        predictor.num_learned, predictor._falls_back = int(num_learned), bool(falls_back)
        predictor._mixture = DefaultPredictor.from_state(part(state, "mixture"))
        predictor._average = BestOnAverage.from_state(part(state, "average"))
        predictor._average_interval = AdaptiveInterval.from_state(part(state, "average_interval"))
        predictor._record = ChoiceRecord.from_state(part(state, "record"))
        return predictor
