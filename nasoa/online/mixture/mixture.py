"""The default predictor of tables: unlike experts, mixed by what they got right.

No single learner wins on every stream (see docs/predictor.md), so there are several:

- `process`: a Gaussian process that shares configurations between tasks and adapts to each task;
- `hierarchical`: linear, with weights of a task's own around shared ones;
- `effects`: means by task and configuration;
- `hedge_mlp`: the paper's adaptive MLP, three layers deep and quick to learn, which follows drift;
- `boosted`: boosted trees, refitted on a schedule, for what has steps and cliffs;
- `extra_trees`: extremely randomised trees, likewise, which noise and many columns mislead less;
- `corrected`: boosted trees of what the other experts left over. They see what those predicted for
  each row before it was learned, and how much was known of its task and configuration then; so they
  learn whom to believe when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.adaptive_interval import AdaptiveInterval
from nasoa.online.mixture.aggregation import Aggregation
from nasoa.online.mixture.boosting import BoostedTreesPredictor
from nasoa.online.mixture.effects import EffectsPredictor
from nasoa.online.mixture.forest import ExtraTreesPredictor
from nasoa.online.mixture.hedge_mlp import MLPPredictor
from nasoa.online.mixture.hierarchical import HierarchicalPredictor
from nasoa.online.mixture.history import History, Schedule
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.process import ProcessPredictor
from nasoa.online.mixture.protocol import RowPredictor
from nasoa.online.mixture.with_history import HistoryPredictor

# How far each expert is trusted before there is a record.
TRUST = {
    "process": 0.45,
    "hierarchical": 0.15,
    "effects": 0.05,
    "hedge_mlp": 0.05,
    "boosted": 0.05,
    "extra_trees": 0.1,
    "corrected": 0.15,
}
# Whose mean the last expert corrects.
CORRECTED = {"process": 0.75, "hierarchical": 0.25}


@dataclass(frozen=True)
class _Opinion:
    """`predictions` `(n, K)` of the experts for the rows whose bytes are `key`.

    `middle` `(n,)`: what `corrected` starts from; `evidence`: what it sees; `mixed` `(n,)`: the
    mixture of the predictions; `spread` `(n,)`: how far they disagree, weighed by their weights.
    """

    key: bytes
    predictions: Array
    middle: Array
    evidence: Array
    mixed: Array
    spread: Array


class DefaultPredictor(RowPredictor):
    """The mixture, with an interval.

    Args:
        layout: of the rows.
        seed: of all that is left to chance.
        without: experts to leave out, to measure what each adds; not all.
    """

    def __init__(self, layout: Layout, *, seed: int = 0, without: Sequence[str] = ()) -> None:
        super().__init__(layout)
        self.seed = seed
        self._names = [name for name in TRUST if name not in without]
        if not set(self._names) - {"corrected"}:
            raise InvalidInput(f"Expected an expert to be left but {list(without)} were left out")
        self._history = History(layout.num_columns, HistoryPredictor.CAPACITY)
        self._experts = {
            name: expert
            for name, expert in _experts(layout, seed, self._history).items()
            if name in self._names or name == "effects"
        }
        self._corrected = CorrectionExpert(self._correction_layout(), seed=seed)
        self._aggregation = self._first_aggregation()
        self._interval = AdaptiveInterval()
        self._latest: _Opinion | None = None

    def _first_aggregation(self) -> Aggregation:
        return Aggregation(np.array([TRUST[name] for name in self._names]))

    @property
    def weights(self) -> dict[str, float]:
        """What Bernstein's rule gives each expert now; sum 1."""
        weights = self._aggregation.bernstein.weights()
        return dict(zip(self._names, weights.tolist(), strict=True))

    def _correction_layout(self) -> Layout:
        kept = self.layout.configuration
        categories = [i for i, c in enumerate(kept) if c in self.layout.categories]
        return Layout(num_columns=len(kept) + 4 + len(self._experts), categories=tuple(categories))

    def _opinion(self, rows: Array) -> _Opinion:
        """What the experts say of `(n, d)` rows."""
        # A row is mostly predicted just before it is learned.
        if self._latest is not None and self._latest.key == rows.tobytes():
            return self._latest
        # Rows are valid here; experts need not check them again.
        found = {
            name: np.clip(expert._predict(rows), 0.0, 1.0) for name, expert in self._experts.items()
        }
        middle = self._corrected_mean(found)
        evidence = self._evidence(rows, found)
        if "corrected" in self._names:
            left = 2.0 * np.clip(self._corrected._predict(evidence), 0.0, 1.0) - 1.0
            found["corrected"] = np.clip(middle + left, 0.0, 1.0)
        predictions = np.stack([found[name] for name in self._names], axis=1)
        mixed, spread = self._mix(predictions)
        self._latest = _Opinion(rows.tobytes(), predictions, middle, evidence, mixed, spread)
        return self._latest

    def _mix(self, predictions: Array) -> tuple[Array, Array]:
        """`(n, K)` -> `(n,)` one prediction, and `(n,)` how far the experts are from each other."""
        weights = self._aggregation.bernstein.weights()
        away = predictions - (predictions @ weights)[:, None]
        mixed = np.clip(self._aggregation.combine(predictions), 0.0, 1.0)
        return mixed, np.sqrt(away**2 @ weights)

    def _corrected_mean(self, found: Mapping[str, Array]) -> Array:
        there = {name: share for name, share in CORRECTED.items() if name in found}
        there = there or {"effects": 1.0}
        total: Array = np.sum([share * found[name] for name, share in there.items()], axis=0)
        return total / sum(there.values())

    def _evidence(self, rows: Array, found: Mapping[str, Array]) -> Array:
        """`(n, ...)` what `corrected` sees: configuration, what is known of it, predictions."""
        effects = self._experts["effects"]
        if not isinstance(effects, EffectsPredictor):
            raise AssertionError("effects are always there")
        known = effects.parts(rows)
        predictions = np.stack([found[name] for name in self._experts], axis=1)
        return np.concatenate(
            [rows[:, list(self.layout.configuration)], known, predictions], axis=1
        )

    def _predict(self, rows: Array) -> Array:
        return self._opinion(rows).mixed

    def expert_predictions(self, x: NDArray[np.float64]) -> Array:
        """`(n, d)` rows -> `(n, K)` what each expert says of them, in the order of `weights`.

        Raises:
            InvalidInput: `x` has another shape, or an infinite value.
        """
        rows, _ = self._rows(x)
        return self._opinion(rows).predictions

    def take_record(self, predictions: Array, targets: Array) -> None:
        """Trust the experts, and be as sure, as this record says and not as the own one does.

        What was learned stays. For rows of other groups than those that were learned: the own
        record is of a stream in which groups return.

        Args:
            predictions: `(n, K)` of like experts that had learned nothing of the rows' groups.
            targets: `(n,)` in [0, 1].
        """
        self._aggregation, self._interval = self._first_aggregation(), AdaptiveInterval()
        for own, target in zip(predictions, targets.tolist(), strict=True):
            mixed, spread = self._mix(own[None, :])
            self._interval.observe(float(spread[0]), abs(float(mixed[0]) - target))
            self._aggregation.learn(own, target)
        self._latest = None

    def interval(self, x: NDArray[np.float64]) -> tuple[float, float]:
        """Lowest and highest target for a `(d,)` row, such that 90 % are inside.

        Raises:
            InvalidInput: `x` has another shape, or an infinite value.
        """
        rows, _ = self._rows(x)
        opinion = self._opinion(rows)
        predicted = float(opinion.mixed[0])
        half = float(self._interval.half_width(opinion.spread)[0])
        return max(0.0, predicted - half), min(1.0, predicted + half)

    def _learn(self, row: Array, target: float) -> None:
        opinion = self._opinion(row[None, :])
        error = abs(float(opinion.mixed[0]) - target)
        self._interval.observe(float(opinion.spread[0]), error)
        self._aggregation.learn(opinion.predictions[0], target)
        if "corrected" in self._names:
            # What is left is in [-1, 1], and a predictor learns targets in [0, 1].
            left = target - float(opinion.middle[0])
            self._corrected._learn(opinion.evidence[0], 0.5 * (left + 1.0))
        self._history.append(row, target)
        for expert in self._experts.values():
            expert._learn(row, target)
        self._latest = None

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        parts = {f"expert_{name}": expert.state() for name, expert in self._experts.items()}
        parts["history"] = self._history.state()
        parts["corrected"] = self._corrected.state()
        parts["layout"] = self.layout.state()
        parts["aggregation"] = self._aggregation.state()
        parts["interval"] = self._interval.state()
        there = np.array([name in self._names for name in TRUST])
        return {**join(parts), "seed": np.array(self.seed), "there": there}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The predictor that `state()` was called on, but for rounding in the last digits."""
        without = [n for n, there in zip(TRUST, state["there"], strict=True) if not there]
        layout = Layout.from_state(part(state, "layout"))
        model = cls(layout, seed=int(state["seed"]), without=without)
        model._history = History.from_state(part(state, "history"))
        for name, expert in model._experts.items():
            kept = part(state, f"expert_{name}")
            model._experts[name] = (
                expert.from_state(kept, model._history)
                if isinstance(expert, HistoryPredictor)
                else expert.from_state(kept)
            )
        model._corrected = CorrectionExpert.from_state(part(state, "corrected"))
        model._aggregation.restore(part(state, "aggregation"))
        model._interval = AdaptiveInterval.from_state(part(state, "interval"))
        return model


# Trees among experts are fitted somewhat more rarely than as baselines.
RARELY = Schedule(growth=0.4, at_least=12, at_most=3000)


class BoostedExpert(BoostedTreesPredictor):
    """Boosted trees on the latest 7,680 rows."""

    SCHEDULE = RARELY


class CorrectionExpert(BoostedTreesPredictor):
    """Boosted trees on the latest 4,096 rows: what is left over changes as experts learn."""

    SCHEDULE = RARELY
    CAPACITY = 4096


class ForestExpert(ExtraTreesPredictor):
    """Extra trees on the latest 7,680 rows."""

    SCHEDULE = RARELY


def _experts(layout: Layout, seed: int, history: History) -> dict[str, RowPredictor]:
    """Those that learn from rows alone."""
    return {
        "process": ProcessPredictor(layout, seed=seed, history=history),
        "hierarchical": HierarchicalPredictor(layout, seed=seed, history=history),
        "effects": EffectsPredictor(layout, seed=seed),
        "hedge_mlp": MLPPredictor(layout, num_layers=3, eta=0.05, seed=seed, history=history),
        "boosted": BoostedExpert(layout, seed=seed, history=history),
        "extra_trees": ForestExpert(layout, seed=seed, history=history),
    }
