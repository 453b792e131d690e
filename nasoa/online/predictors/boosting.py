"""Boosted trees on a schedule: grown by scikit-learn, walked by numpy.

scikit-learn's histogram gradient boosting splits categories as sets, which one column for each
category cannot replace. But it takes milliseconds to predict one row, most of it conversions, so
its trees are taken out as arrays and all walked at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingRegressor

from nasoa.online.predictors.layout import Array
from nasoa.online.predictors.refitted import RefittedPredictor

# scikit-learn takes no more categories of a column as such.
MOST_CATEGORIES = 255


class BoostedTrees:
    """Histogram gradient boosting of squared error; categories are split as sets.

    Args:
        columns: `(n, k)`, NaN where missing.
        targets: `(n,)`.
        categories: which columns hold codes. The 255 most frequent of each are told apart, all
            others count as missing.
        seed: of the columns that a split may use.
    """

    def __init__(
        self, columns: Array, targets: Array, categories: Sequence[int], seed: int
    ) -> None:
        self._codes = {column: _frequent(columns[:, column]) for column in categories}
        numbers = [i for i in range(columns.shape[1]) if i not in self._codes]
        # scikit-learn puts categories first as well, so trees ask for the same columns as here.
        self._order = [*self._codes, *numbers]
        # A column of nothing but missing values has no place to be split at.
        self._is_empty = ~np.isfinite(columns[:, self._order]).any(axis=0)
        model = HistGradientBoostingRegressor(
            categorical_features=list(range(len(self._codes))),
            max_iter=150,
            learning_rate=0.1,
            min_samples_leaf=5,
            max_features=0.7,
            early_stopping=False,
            random_state=seed,
        )
        with config_context(assume_finite=True, skip_parameter_validation=True):
            model.fit(self._prepared(columns), targets)
        self._trees = _Trees(model)

    def _prepared(self, columns: Array) -> Array:
        """Categories first, as places among the known ones, NaN where unknown; then numbers."""
        prepared = columns[:, self._order]
        for place, codes in enumerate(self._codes.values()):
            found = np.minimum(np.searchsorted(codes, prepared[:, place]), len(codes) - 1)
            is_known = codes[found] == prepared[:, place]
            prepared[:, place] = np.where(is_known, found, np.nan)
        prepared[:, self._is_empty] = 0.0
        return prepared

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        return self._trees.predict(self._prepared(columns))


def _frequent(column: Array) -> Array:
    """The most frequent codes, ascending; at least one."""
    codes, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    if len(codes) == 0:
        return np.zeros(1)
    return np.sort(codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])


class _Trees:
    """The trees of a fitted model as arrays `(trees, nodes)`.

    They are no part of scikit-learn's public interface; a test holds them to its predictions.
    """

    def __init__(self, model: Any) -> None:
        trees = [stage[0] for stage in model._predictors]
        shape = (len(trees), max(len(tree.nodes) for tree in trees))
        self._feature = np.zeros(shape, dtype=np.int64)
        self._threshold = np.full(shape, np.inf)
        self._children = np.zeros((2, *shape), dtype=np.int64)
        self._missing_right = np.zeros(shape, dtype=np.bool_)
        self._is_category = np.zeros(shape, dtype=np.bool_)
        self._left_set = np.zeros((*shape, 8), dtype=np.uint32)
        self._value = np.zeros(shape)
        self._depth = 0
        for number, tree in enumerate(trees):
            self._take(number, tree)
        self._base = float(np.ravel(model._baseline_prediction)[0])

    def _take(self, number: int, tree: Any) -> None:
        nodes = tree.nodes
        places = np.arange(len(nodes))
        is_leaf = nodes["is_leaf"].astype(np.bool_)
        is_category = nodes["is_categorical"].astype(np.bool_) & ~is_leaf
        self._feature[number, places] = np.where(is_leaf, 0, nodes["feature_idx"])
        self._threshold[number, places] = np.where(is_leaf, np.inf, nodes["num_threshold"])
        # A leaf is its own child, so that all trees are walked equally deep.
        self._children[0, number, places] = np.where(is_leaf, places, nodes["left"])
        self._children[1, number, places] = np.where(is_leaf, places, nodes["right"])
        self._missing_right[number, places] = nodes["missing_go_to_left"] == 0
        self._is_category[number, places] = is_category
        sets = tree.raw_left_cat_bitsets[nodes["bitset_idx"][is_category]]
        self._left_set[number, places[is_category]] = sets
        self._value[number, places] = nodes["value"]
        self._depth = max(self._depth, int(nodes["depth"].max()))

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        rows = np.arange(len(columns))[:, None]
        trees = np.arange(len(self._value))[None, :]
        nodes = np.zeros((len(columns), len(self._value)), dtype=np.int64)
        for _ in range(self._depth):
            values = columns[rows, self._feature[trees, nodes]]
            goes_right = values > self._threshold[trees, nodes]
            code = np.nan_to_num(values, nan=0.0).astype(np.int64)
            goes_right = np.where(
                self._is_category[trees, nodes],
                self._is_right_of(trees, nodes, code),
                goes_right,
            )
            goes_right = np.where(np.isnan(values), self._missing_right[trees, nodes], goes_right)
            nodes = self._children[goes_right.astype(np.int64), trees, nodes]
        total: Array = self._base + self._value[trees, nodes].sum(axis=1)
        return total

    def _is_right_of(
        self, trees: NDArray[np.int64], nodes: NDArray[np.int64], code: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether codes are not in the sets that go to the left."""
        code = np.clip(code, 0, MOST_CATEGORIES)
        word = self._left_set[trees, nodes, code >> 5].astype(np.int64)
        outside: NDArray[np.bool_] = (word >> (code & 31)) & 1 == 0
        return outside


class BoostedTreesPredictor(RefittedPredictor):
    """150 rounds of boosting at a rate of 0.1 with 31 leaves, categories as categories."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> BoostedTrees:
        return BoostedTrees(rows, targets, self.layout.categories, seed)
