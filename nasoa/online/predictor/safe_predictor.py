"""The mixture of experts, with the best on average as a fallback.

The mixture (`nasoa.online.mixture.mixture`) learns the difference, in log-odds, between each run's
accuracy and what was expected of it without experience. Without experience that expectation
decides; near runs that were tried, their results do; in between, the prediction moves from one to
the other according to the similarity that the experts see. The learned difference counts as the
mean of `n` runs next to two that were as expected, so that a first run does not override the
expectation.

The choice is safe: while the mixture's record (`nasoa.online.predictor.choice_record`) is worse
than that of the best on average, the best on average decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.mixture import DefaultPredictor
from nasoa.online.mixture.prediction_interval import AdaptiveInterval
from nasoa.online.predictor.choice_record import ChoiceRecord
from nasoa.online.predictor.fallback import BestOnAverage
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions
from nasoa.online.predictor.known_runs import KnownRuns
from nasoa.online.regimes.log_odds import (
    LEAST,
    from_log_odds,
    log_odds,
    surplus,
    unclipped_log_odds,
)

ROUNDING = 1e-9
RUNS_AS_EXPECTED = 2.0  # same as the shrinkage in `nasoa.online.predictor.fallback`


class SafePredictor:
    """Predicts accuracies of runs and learns from the measured ones.

    Args:
        layout: layout of the runs' rows.
        seed: random seed for the mixture.
        without: names of experts to leave out, to measure what each adds.
        falls_back: whether the best on average may decide; False to measure what that adds.
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
        """Weight of each expert in the mixture, summing to 1; empty if nothing was learned."""
        return self._mixture.weights if self.num_learned else {}

    @property
    def fallback_reason(self) -> str:
        """Record in which the mixture is worse than the best on average; "" if in none."""
        return self._record.fallback_reason if self._falls_back else ""

    @property
    def decides(self) -> bool:
        """Whether the mixture decides: it has learned something and its record is good enough."""
        return self.num_learned > 0 and not self.fallback_reason

    def expected(self, runs: KnownRuns) -> Array:
        """Return the predicted log-odds of the runs, `(n,)`."""
        return self._average.expected(runs) if self.fallback_reason else self._by_mixture(runs)

    def _by_mixture(self, runs: KnownRuns) -> Array:
        if not self.num_learned:
            return runs.expected
        added = np.asarray(self._mixture.predict(runs.rows))
        trust = self.num_learned / (self.num_learned + RUNS_AS_EXPECTED)
        return np.asarray(runs.expected + trust * log_odds(added), dtype=np.float64)

    def intervals(self, runs: KnownRuns) -> tuple[Array, Array]:
        """Return the bounds, `(n,)` lower and `(n,)` upper accuracies, of 90 % intervals."""
        predicted = self.expected(runs)
        if not self.decides:
            return self._average_interval.around(from_log_odds(predicted))
        # Log-odds are monotone, so bounds that hold 90 % of the surpluses hold 90 % of accuracies.
        low, high = (
            runs.expected + unclipped_log_odds(found)
            for found in self._mixture.intervals(runs.rows)
        )
        lows = from_log_odds(np.minimum(low, predicted))
        highs = from_log_odds(np.maximum(high, predicted))
        # Accuracies were clipped before learning, so a bound at the clip covers all beyond it. The
        # way to log-odds and back rounds.
        clip = LEAST + ROUNDING
        return np.where(lows <= clip, 0.0, lows), np.where(highs >= 1.0 - clip, 1.0, highs)

    def learn(self, runs: KnownRuns, accuracies: Array) -> None:
        """Record the choice among runs of one task that came together, then learn each of them.

        Args:
            runs: `n` runs.
            accuracies: `(n,)` accuracies in [0, 1].
        """
        self._record.observe_task(self._by_mixture(runs), self._average.expected(runs), accuracies)
        targets = surplus(accuracies, runs.expected)
        for index, accuracy in enumerate(accuracies.tolist()):
            run = runs.at(index)
            predicted = float(from_log_odds(self._by_mixture(run))[0])
            average = float(from_log_odds(self._average.expected(run))[0])
            self._observe(predicted, average, accuracy)
            self._average.learn(run, accuracy)
            self._mixture.learn(run.rows[0], float(targets[index]))
            self.num_learned += 1

    def _observe(self, predicted: float, average: float, accuracy: float) -> None:
        self._record.observe_run(predicted, average, accuracy)
        self._average_interval.observe(0.0, abs(average - accuracy))

    def predict_held_out(
        self, runs: KnownRuns, tasks: Sequence[str], accuracies: Array
    ) -> HeldOutPredictions:
        """Predict runs without learning them, and return the predictions with the accuracies.

        Args:
            runs: `n` runs.
            tasks: `n` names of tasks.
            accuracies: `(n,)` measured accuracies.

        Raises:
            InvalidInput: nothing has been learned yet.
        """
        self._require_learned()
        return HeldOutPredictions(
            tasks=tasks,
            experts=self._mixture.expert_predictions(runs.rows),
            targets=surplus(accuracies, runs.expected),
            mixture=from_log_odds(self._by_mixture(runs)),
            average=from_log_odds(self._average.expected(runs)),
            accuracies=accuracies,
        )

    def replace_record(self, held_out: HeldOutPredictions) -> None:
        """Replace the predictor's own record of errors by this one; what was learned is unchanged.

        Args:
            held_out: predictions of similar predictors that had not learned the tasks they judged.

        Raises:
            InvalidInput: nothing has been learned yet.
        """
        self._require_learned()
        self._mixture.replace_record(held_out.experts, held_out.targets)
        self._record = ChoiceRecord.of_held_out(held_out)
        self._average_interval = AdaptiveInterval()
        for error in np.abs(held_out.average - held_out.accuracies).tolist():
            self._average_interval.observe(0.0, error)

    def _require_learned(self) -> None:
        if not self.num_learned:
            raise InvalidInput("expected a predictor that has learned something, got a new one")

    def state(self) -> State:
        """Return the complete state; `from_state` restores an equal predictor from it."""
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
        """Restore the predictor that `state()` was called on."""
        predictor = cls.__new__(cls)
        num_learned, falls_back = state["own"].tolist()
        predictor.num_learned, predictor._falls_back = int(num_learned), bool(falls_back)
        predictor._mixture = DefaultPredictor.from_state(part(state, "mixture"))
        predictor._average = BestOnAverage.from_state(part(state, "average"))
        predictor._average_interval = AdaptiveInterval.from_state(part(state, "average_interval"))
        predictor._record = ChoiceRecord.from_state(part(state, "record"))
        return predictor
