"""Trees as plain arrays: grown by scikit-learn, walked and saved by numpy.

scikit-learn takes a millisecond for the prediction of a row by one small forest, most of it
checking; a walk down all trees at once takes a tenth. And arrays can go into the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from nasoa.online.predictors.layout import Array, State


class Forest:
    """Trees over `k` columns whose leaves are summed: `base + scale * sum of leaves`."""

    def __init__(self, trees: Sequence[Any], *, base: float, scale: float) -> None:
        size = max(tree.node_count for tree in trees)
        shape = (len(trees), size)
        self._feature = np.zeros(shape, dtype=np.int32)
        self._threshold = np.full(shape, np.inf)
        self._children = np.zeros((2, *shape), dtype=np.int32)
        self._leaf = np.zeros(shape)
        self._depth = np.array(max(tree.max_depth for tree in trees))
        for number, tree in enumerate(trees):
            nodes = np.arange(tree.node_count)
            is_leaf = tree.children_left < 0
            self._feature[number, nodes] = np.where(is_leaf, 0, tree.feature)
            self._threshold[number, nodes] = np.where(is_leaf, np.inf, tree.threshold)
            # A leaf is its own child, so that all trees are walked equally deep.
            self._children[0, number, nodes] = np.where(is_leaf, nodes, tree.children_left)
            self._children[1, number, nodes] = np.where(is_leaf, nodes, tree.children_right)
            self._leaf[number, nodes] = tree.value[:, 0, 0]
        self._base = np.array(base)
        self._scale = np.array(scale)

    @classmethod
    def averaged(
        cls, columns: Array, targets: Array, *, trees: int, least_leaf: int, seed: int
    ) -> Forest:
        """Extremely randomised trees (Geurts et al. 2006)."""
        model = ExtraTreesRegressor(
            trees, min_samples_leaf=least_leaf, max_features=0.5, random_state=seed, n_jobs=1
        )
        model.fit(columns, targets)
        fitted = [tree.tree_ for tree in model.estimators_]
        return cls(fitted, base=0.0, scale=1.0 / len(fitted))

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        # Trees are grown on float32, so they are walked with float32.
        values = columns.astype(np.float32).astype(np.float64)
        rows = np.arange(len(values))[:, None]
        trees = np.arange(len(self._leaf))[None, :]
        nodes = np.zeros((len(values), len(self._leaf)), dtype=np.int32)
        for _ in range(int(self._depth)):
            goes_right = values[rows, self._feature[trees, nodes]] > self._threshold[trees, nodes]
            nodes = self._children[goes_right.astype(np.int8), trees, nodes]
        total: Array = self._base + self._scale * self._leaf[trees, nodes].sum(axis=1)
        return total

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {name: getattr(self, f"_{name}") for name in self._NAMES}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Forest:
        """The forest that `state()` was called on."""
        forest = cls.__new__(cls)
        for name in cls._NAMES:
            setattr(forest, f"_{name}", np.array(state[name]))
        return forest

    _NAMES = ("feature", "threshold", "children", "leaf", "depth", "base", "scale")
