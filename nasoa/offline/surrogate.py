"""A surrogate of the evaluation: regression trees that predict objectives from an encoding.

The paper evaluates every child. With a surrogate, more children are drawn than are evaluated, and
those are evaluated whose predicted objectives add the most to the hypervolume of the known front.
Predictions are optimistic by one standard deviation over the trees, so that unexplored regions are
tried, too. The trees are those of scikit-learn (extremely randomised, Geurts et al. 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from nasoa.arch import ArchSpec, build_network, measure_cost, parse
from nasoa.arch.spec import MAX_OPERATORS, OPERATOR_NAMES
from nasoa.offline.front import WORST_ERROR, front, objectives
from nasoa.offline.pareto import hypervolume, survive
from nasoa.records import Evaluation

Array = NDArray[np.float64]

LEAST_EVALUATIONS = 16  # trained architectures; with fewer, nothing is predicted
NUM_TREES = 100
COUNTED_RESOLUTION = 64
COUNTED_CLASSES = 10


class Surrogate:
    """Predicts error and step time of architectures.

    Args:
        evaluations: evaluations of one search, in any order.
        limit_ms: upper limit of the step time in ms (Tm of Eq. 1); 0 means none.
        seed: random seed of the trees.
    """

    def __init__(
        self, evaluations: Sequence[Evaluation], *, limit_ms: float = 0.0, seed: int = 0
    ) -> None:
        known = sorted(evaluations, key=lambda e: e.encoding)
        self._timed = [e for e in known if e.costs.step_time_ms > 0]
        self._trained = [e for e in self._timed if e.accuracy is not None]
        self._front = np.array([objectives(e) for e in front(self._trained)]).reshape(-1, 2)
        slowest = max((e.costs.step_time_ms for e in self._trained), default=1.0)
        self._reference = (limit_ms or slowest, WORST_ERROR)
        self._trees = [
            ExtraTreesRegressor(NUM_TREES, min_samples_leaf=2, random_state=seed) for _ in range(2)
        ]
        if self.is_fitted:
            times, errors = self._trees
            times.fit(_features(self._timed), [np.log(e.costs.step_time_ms) for e in self._timed])
            errors.fit(_features(self._trained), [objectives(e)[1] for e in self._trained])

    @property
    def is_fitted(self) -> bool:
        """Whether there were enough evaluations to predict from."""
        return len(self._trained) >= LEAST_EVALUATIONS

    def predict(self, specs: Sequence[ArchSpec]) -> Array:
        """Return the `(n, 2)` optimistic step time in ms and error of architectures."""
        rows = np.array([encode(spec) for spec in specs])
        times, errors = self._trees
        single = np.array([tree.predict(rows) for tree in errors.estimators_])
        error = single.mean(axis=0) - single.std(axis=0)
        return np.column_stack([np.exp(times.predict(rows)), error])

    def choose(self, specs: list[ArchSpec], count: int) -> list[ArchSpec]:
        """Return the `count` architectures that are expected to improve the front the most.

        They are chosen one after another, each given those before it. Where none would improve the
        front, the rest are the best by rank and crowding distance of their predictions.
        """
        if not self.is_fitted or len(specs) <= count:
            return specs[:count]
        points = self.predict(specs)
        chosen: list[int] = []
        known = self._front
        volume = hypervolume(known, self._reference)
        while len(chosen) < count:
            gains = {
                i: hypervolume(np.vstack([known, points[i]]), self._reference) - volume
                for i in range(len(specs))
                if i not in chosen
            }
            best = max(gains, key=lambda i: gains[i])
            if gains[best] <= 0.0:
                break
            chosen.append(best)
            known = np.vstack([known, points[best]])
            volume += gains[best]
        rest = [i for i in survive(points, len(points)).tolist() if i not in chosen]
        return [specs[i] for i in (chosen + rest)[:count]]


def _features(evaluations: Sequence[Evaluation]) -> Array:
    return np.array([encode(parse(e.encoding)) for e in evaluations])


@lru_cache(maxsize=20_000)
def encode(spec: ArchSpec) -> tuple[float, ...]:
    """Return the numbers that describe a network: its costs, block and macro structure.

    Costs are logarithms of multiply-accumulates, parameters and activations. A block has a column
    for each operator and kind, its ratios, and its numbers of skips; a macro structure has the
    first and last channel, and of each stage the blocks and the doublings.
    """
    with torch.device("meta"):  # without memory or random numbers for weights
        network = build_network(spec, COUNTED_CLASSES)
    cost = measure_cost(network, COUNTED_RESOLUTION)
    operators, skips = spec.block.operators, spec.block.skips
    kinds = [
        float(place < len(operators) and operators[place].kind == kind)
        for place in range(MAX_OPERATORS)
        for kind in range(len(OPERATOR_NAMES))
    ]
    ratios = [0.0 if o.ratio is None else float(o.ratio - 2) for o in operators]
    ratios += [0.0] * (MAX_OPERATORS - len(ratios))
    stages = [float(value) for stage in spec.stages for value in (len(stage), sum(stage))]
    return (
        *np.log([cost.macs, cost.params, cost.activations]).tolist(),
        float(len(operators)),
        *kinds,
        *ratios[: MAX_OPERATORS - 1],
        float(sum(skip.kind == "a" for skip in skips)),
        float(sum(skip.kind == "c" for skip in skips)),
        float(np.log2(spec.first_channel)),
        float(np.log2(spec.widths[-1][-1])),
        *stages,
    )
