"""The default predictor for tables: a mixture of two different experts, weighted by their losses.

- `process`: a Gaussian process that shares configurations between tasks and adapts to each task;
- `hierarchical`: a linear model with separate weights for each task around shared ones.

No single model is best on every stream. docs/predictor.md describes the alternatives that were
evaluated and why these two were selected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.aggregation import Aggregation
from nasoa.online.mixture.hierarchical import HierarchicalPredictor
from nasoa.online.mixture.history import History
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.prediction_interval import AdaptiveInterval
from nasoa.online.mixture.process import ProcessPredictor
from nasoa.online.mixture.protocol import RowPredictor
from nasoa.online.mixture.with_history import HistoryPredictor

EXPERTS: dict[str, type[HistoryPredictor]] = {
    "process": ProcessPredictor,
    "hierarchical": HierarchicalPredictor,
}
# Prior weight of each expert.
TRUST = {"process": 0.75, "hierarchical": 0.25}


@dataclass(frozen=True)
class _Opinion:
    """Predictions of the experts for the rows whose bytes are `key`.

    `predictions`: `(n, K)` predictions of the experts; `mixed`: `(n,)` mixture of these; `spread`:
    `(n,)` weighted standard deviation of these around their weighted mean.
    """

    key: bytes
    predictions: Array
    mixed: Array
    spread: Array


class DefaultPredictor(RowPredictor):
    """Mixture of experts with a prediction interval.

    Args:
        layout: layout of the rows.
        seed: random seed for all random choices.
        without: experts to leave out, to measure the contribution of each; at least one must
            remain.
    """

    def __init__(self, layout: Layout, *, seed: int = 0, without: Sequence[str] = ()) -> None:
        super().__init__(layout)
        self.seed = seed
        names = [name for name in EXPERTS if name not in without]
        if not names:
            raise InvalidInput(
                f"Expected at least one expert to remain but {list(without)} were left out"
            )
        self._history = History(layout.num_columns, HistoryPredictor.CAPACITY)
        self._experts: dict[str, HistoryPredictor] = {
            name: EXPERTS[name](layout, seed=seed, history=self._history) for name in names
        }
        self._aggregation = self._first_aggregation()
        self._interval = AdaptiveInterval()
        self._latest: _Opinion | None = None

    def _first_aggregation(self) -> Aggregation:
        return Aggregation(np.array([TRUST[name] for name in self._experts]))

    @property
    def weights(self) -> dict[str, float]:
        """Current weights of the experts under Bernstein aggregation, with sum 1."""
        weights = self._aggregation.bernstein.weights()
        return dict(zip(self._experts, weights.tolist(), strict=True))

    def _opinion(self, rows: Array) -> _Opinion:
        """Return the predictions of the experts for `(n, d)` rows."""
        # A row is usually predicted just before it is learned, so the latest one is cached.
        if self._latest is not None and self._latest.key == rows.tobytes():
            return self._latest
        # The rows were validated, so the check of the public `predict` is skipped.
        found = [np.clip(expert._predict(rows), 0.0, 1.0) for expert in self._experts.values()]
        predictions = np.stack(found, axis=1)
        mixed, spread = self._mix(predictions)
        self._latest = _Opinion(rows.tobytes(), predictions, mixed, spread)
        return self._latest

    def _mix(self, predictions: Array) -> tuple[Array, Array]:
        """Return the `(n,)` mixture of `(n, K)` predictions, and their `(n,)` spread."""
        weights = self._aggregation.bernstein.weights()
        away = predictions - (predictions @ weights)[:, None]
        mixed = np.clip(self._aggregation.combine(predictions), 0.0, 1.0)
        return mixed, np.sqrt(away**2 @ weights)

    def _predict(self, rows: Array) -> Array:
        return self._opinion(rows).mixed

    def expert_predictions(self, x: NDArray[np.float64]) -> Array:
        """Return the experts' `(n, K)` predictions for `(n, d)` rows, in the order of `weights`.

        Raises:
            InvalidInput: `x` has another shape, or an infinite value.
        """
        rows, _ = self._rows(x)
        return self._opinion(rows).predictions

    def replace_record(self, predictions: Array, targets: Array) -> None:
        """Refit the weights of the experts and the interval to held-out predictions.

        The experts keep what they learned. Use this before predicting rows of new groups: the
        predictor's own weights and interval come from a stream in which groups recur.

        Args:
            predictions: `(n, K)` predictions of equivalent experts that had not learned any rows of
                these groups.
            targets: `(n,)` targets in [0, 1].
        """
        self._aggregation, self._interval = self._first_aggregation(), AdaptiveInterval()
        for own, target in zip(predictions, targets.tolist(), strict=True):
            mixed, spread = self._mix(own[None, :])
            self._interval.observe(float(spread[0]), abs(float(mixed[0]) - target))
            self._aggregation.learn(own, target)
        self._latest = None

    def intervals(self, x: NDArray[np.float64]) -> tuple[Array, Array]:
        """Return `(n,)` lower and `(n,)` upper bounds for `(n, d)` rows that cover 90 % of targets.

        Raises:
            InvalidInput: `x` has another shape, or an infinite value.
        """
        rows, _ = self._rows(x)
        opinion = self._opinion(rows)
        return self._interval.around(opinion.mixed, opinion.spread)

    def _learn(self, row: Array, target: float) -> None:
        opinion = self._opinion(row[None, :])
        error = abs(float(opinion.mixed[0]) - target)
        self._interval.observe(float(opinion.spread[0]), error)
        self._aggregation.learn(opinion.predictions[0], target)
        self._history.append(row, target)
        for expert in self._experts.values():
            expert._learn(row, target)
        self._latest = None

    def state(self) -> State:
        """Return the full state as arrays."""
        parts = {f"expert_{name}": expert.state() for name, expert in self._experts.items()}
        parts["history"] = self._history.state()
        parts["layout"] = self.layout.state()
        parts["aggregation"] = self._aggregation.state()
        parts["interval"] = self._interval.state()
        there = np.array([name in self._experts for name in EXPERTS])
        return {**join(parts), "seed": np.array(self.seed), "there": there}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restore a predictor from its `state()`, exact except for rounding in the last digits."""
        without = [n for n, there in zip(EXPERTS, state["there"], strict=True) if not there]
        layout = Layout.from_state(part(state, "layout"))
        model = cls(layout, seed=int(state["seed"]), without=without)
        model._history = History.from_state(part(state, "history"))
        for name, expert in model._experts.items():
            kept = part(state, f"expert_{name}")
            model._experts[name] = expert.from_state(kept, model._history)
        model._aggregation.restore(part(state, "aggregation"))
        model._interval = AdaptiveInterval.from_state(part(state, "interval"))
        return model
