"""The paper's predictor: the adaptive MLP on the variables of section 3.2.1, and nothing else.

It has no default formula, landmark, probes or fallback: all knowledge comes from experience, which
is learned by Eq. 4 one run after another (Algorithm 3, lines 8 and 20). Departure: the paper gives
no interval; this one is as wide as past errors were (`AdaptiveInterval`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP
from nasoa.online.mixture.layout import State, join, part
from nasoa.online.mixture.prediction_interval import AdaptiveInterval
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES, LAYOUT, encode
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import tabulate_collected, tabulate_experiences
from nasoa.records import CollectedRecord, Experience

Array = NDArray[np.float64]

PAPER_PREDICTOR_NAME = f"paper.{LAYOUT}"
BEYOND_THE_PAPER = {
    "landmark_log_odds_over_chance",
    "is_probed",
    "probe_gain",
    "probe_octaves",
    "is_borrowed",
    "defaults_log_odds",
}
PAPER_FEATURES = tuple(name for name in FEATURE_NAMES if name not in BEYOND_THE_PAPER)


class PaperPredictor:
    """Predicts accuracies with `AdaptiveMLP.paper()` and learns from finished fine-tunes.

    Args:
        seed: random seed for the initial weights.
    """

    fallback_reason = ""

    def __init__(self, seed: int = 0) -> None:
        self._mlp = AdaptiveMLP.paper(len(PAPER_FEATURES), seed)
        self._interval = AdaptiveInterval()
        self.num_experiences = 0
        self.num_collected = 0

    @classmethod
    def after(cls, records: Sequence[CollectedRecord]) -> PaperPredictor:
        """Return a predictor that has learned these collected runs, one after another."""
        predictor = cls()
        predictor.learn_collected(records)
        return predictor

    @property
    def expert_weights(self) -> dict[str, float]:
        """Alpha, the weights of the depths (Eq. 3); empty if nothing was learned."""
        if not self.num_learned:
            return {}
        return {f"depth {i}": float(w) for i, w in enumerate(self._mlp.alpha, start=1)}

    @property
    def num_learned(self) -> int:
        """Number of runs that were learned, both experiences and collected runs."""
        return self.num_experiences + self.num_collected

    def predict(self, experience: Experience) -> float:
        """Return the accuracy in [0, 1] that is now predicted for a regime that was tried."""
        return float(np.clip(self.scores(tabulate_experiences([experience])), 0.0, 1.0)[0])

    def scores(self, table: RunTable) -> Array:
        """Return predicted accuracies, `(n,)`, of a table's runs, not clipped to [0, 1]."""
        return np.asarray(self._mlp.predict(encode(table, PAPER_FEATURES)), dtype=np.float64)

    def intervals(self, table: RunTable) -> tuple[Array, Array]:
        """Return the bounds, `(n,)` lower and `(n,)` upper accuracies, of 90 % intervals."""
        return self._interval.around(np.clip(self.scores(table), 0.0, 1.0))

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Learn experiences one after another: predict each, record the error, then learn it."""
        if experiences:
            self._learn(tabulate_experiences(experiences), [e.accuracy for e in experiences])
            self.num_experiences += len(experiences)

    def learn_collected(self, records: Sequence[CollectedRecord]) -> None:
        """Learn runs of meta-training data sets, one after another."""
        if records:
            self._learn(tabulate_collected(records), [record.accuracy for record in records])
            self.num_collected += len(records)

    def _learn(self, table: RunTable, accuracies: Sequence[float]) -> None:
        for row, accuracy in zip(encode(table, PAPER_FEATURES), accuracies, strict=True):
            predicted = float(np.clip(self._mlp.predict(row), 0.0, 1.0))
            self._interval.observe(0.0, abs(predicted - accuracy))
            self._mlp.learn(row, accuracy)

    def state(self) -> State:
        """Return the complete state; `from_state` restores an equal predictor from it."""
        parts = {"mlp": self._mlp.state(), "interval": self._interval.state()}
        counts = np.array([self.num_experiences, self.num_collected])
        return {**join(parts), "counts": counts}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[np.generic]]) -> PaperPredictor:
        """Restore the predictor that `state()` was called on."""
        predictor = cls()
        predictor.num_experiences, predictor.num_collected = (int(n) for n in state["counts"])
        predictor._mlp = AdaptiveMLP.from_state(part(state, "mlp"))
        predictor._interval = AdaptiveInterval.from_state(part(state, "interval"))
        return predictor
