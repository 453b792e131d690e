"""River's trees: a baseline that requires the extra `benchmarks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from river import forest, tree

from nasoa.online.mixture.history import History
from nasoa.online.mixture.layout import Array, Layout, State, join, part
from nasoa.online.mixture.protocol import UNKNOWN, RowPredictor


class RiverPredictor(RowPredictor):
    """An adaptive random forest of Hoeffding trees (Gomes et al. 2018), or one such tree.

    Its state is the latest 8,192 rows, from which the trees are rebuilt.

    Args:
        layout: layout of the rows.
        num_trees: number of trees; 1 for a single adaptive Hoeffding tree.
        seed: random seed for the trees.
    """

    def __init__(self, layout: Layout, *, num_trees: int = 10, seed: int = 0) -> None:
        super().__init__(layout)
        self.num_trees = num_trees
        self.seed = seed
        self._history = History(layout.num_columns)
        self._model = self._fresh()

    def _fresh(self) -> Any:
        categories = [str(column) for column in self.layout.categories]
        if self.num_trees == 1:
            return tree.HoeffdingAdaptiveTreeRegressor(
                grace_period=50, nominal_attributes=categories, seed=self.seed
            )
        return forest.ARFRegressor(
            self.num_trees, grace_period=30, nominal_attributes=categories, seed=self.seed
        )

    def _features(self, row: Array) -> dict[str, float | int]:
        features: dict[str, float | int] = {}
        for column, value in enumerate(row.tolist()):
            if column in self.layout.categories:
                features[str(column)] = -1 if np.isnan(value) else int(value)
            elif np.isfinite(value):
                features[str(column)] = value
        return features

    def _predict(self, rows: Array) -> Array:
        if len(self._history) == 0:
            return np.full(len(rows), UNKNOWN)
        found = [self._model.predict_one(self._features(row)) for row in rows]
        return np.nan_to_num(np.array(found, dtype=np.float64), nan=UNKNOWN)

    def _learn(self, row: Array, target: float) -> None:
        self._history.append(row, target)
        self._model.learn_one(self._features(row), target)

    def state(self) -> State:
        """Return the full state as arrays."""
        parts = {"layout": self.layout.state(), "history": self._history.state()}
        return {**join(parts), "own": np.array([self.seed, self.num_trees])}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restore a predictor from its `state()`."""
        seed, num_trees = (int(number) for number in state["own"])
        model = cls(Layout.from_state(part(state, "layout")), num_trees=num_trees, seed=seed)
        history = History.from_state(part(state, "history"))
        for row, target in zip(history.rows, history.targets.tolist(), strict=True):
            model._learn(row, target)
        return model
