"""Extra trees, refitted on a schedule: grown by scikit-learn, walked by numpy.

scikit-learn takes milliseconds for the prediction of one row by a forest, most of it checking; a
walk down all trees at once takes a tenth.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from nasoa.online.predictors.encoding import Encoding
from nasoa.online.predictors.layout import Array
from nasoa.online.predictors.refitted import RefittedPredictor

NUM_TREES = 60


class Forest:
    """Extremely randomised trees.

    Args:
        columns: `(n, k)` finite numbers, n > 0.
        targets: `(n,)`.
        seed: of the splits.
    """

    def __init__(self, columns: Array, targets: Array, seed: int) -> None:
        model = ExtraTreesRegressor(
            NUM_TREES, min_samples_leaf=2, max_features=0.5, random_state=seed, n_jobs=1
        )
        model.fit(columns, targets)
        trees = [tree.tree_ for tree in model.estimators_]
        shape = (len(trees), max(tree.node_count for tree in trees))
        self._feature = np.zeros(shape, dtype=np.int32)
        self._threshold = np.full(shape, np.inf)
        self._children = np.zeros((2, *shape), dtype=np.int32)
        self._leaf = np.zeros(shape)
        self._depth = max(tree.max_depth for tree in trees)
        for number, tree in enumerate(trees):
            nodes = np.arange(tree.node_count)
            is_leaf = tree.children_left < 0
            self._feature[number, nodes] = np.where(is_leaf, 0, tree.feature)
            self._threshold[number, nodes] = np.where(is_leaf, np.inf, tree.threshold)
            # A leaf is its own child, so that all trees are walked equally deep.
            self._children[0, number, nodes] = np.where(is_leaf, nodes, tree.children_left)
            self._children[1, number, nodes] = np.where(is_leaf, nodes, tree.children_right)
            self._leaf[number, nodes] = tree.value[:, 0, 0]

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        # Trees are grown on float32, so they are walked with float32.
        values = columns.astype(np.float32).astype(np.float64)
        rows = np.arange(len(values))[:, None]
        trees = np.arange(len(self._leaf))[None, :]
        nodes = np.zeros((len(values), len(self._leaf)), dtype=np.int32)
        for _ in range(self._depth):
            goes_right = values[rows, self._feature[trees, nodes]] > self._threshold[trees, nodes]
            nodes = self._children[goes_right.astype(np.int8), trees, nodes]
        means: Array = self._leaf[trees, nodes].mean(axis=1)
        return means


class ExtraTreesPredictor(RefittedPredictor):
    """60 extremely randomised trees (Geurts et al. 2006) on encoded rows."""

    def _columns(self, rows: Array) -> Array:
        return self._encoding.encode(rows)

    def _fit(self, rows: Array, targets: Array, seed: int) -> Forest:
        self._encoding = Encoding(self.layout, rows)
        return Forest(self._encoding.encode(rows), targets, seed)
