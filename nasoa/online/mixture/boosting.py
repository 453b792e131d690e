"""Boosted trees on a schedule: grown by scikit-learn, asked by masks (`QuickScorer`).

scikit-learn's histogram gradient boosting splits categories as sets, which one column for each
category cannot replace. But it takes milliseconds to predict one row, most of it conversions, and
its models can only be saved by pickling; so its trees are taken out as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State, join, part
from nasoa.online.mixture.quick_scorer import QuickScorer, Tree
from nasoa.online.mixture.refitted import RefittedPredictor

# scikit-learn takes no more categories of a column as such.
MOST_CATEGORIES = 255
# Codes are below this; sums with as many columns' worth of it are exact.
CODES = 2.0**32


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
        # To import it takes a second, which predicting by trees that are there need not wait for.
        from sklearn import config_context  # noqa: PLC0415
        from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415

        codes = [_frequent(columns[:, column]) for column in categories]
        self._num_codes = np.array([len(found) for found in codes], dtype=np.int64)
        self._known = np.concatenate([np.empty(0), *codes]) + self._offsets().repeat(
            self._num_codes
        )
        numbers = [i for i in range(columns.shape[1]) if i not in categories]
        # scikit-learn puts categories first as well, so trees ask for the same columns as here.
        self._order = np.array([*categories, *numbers], dtype=np.int64)
        # A column of nothing but missing values has no place to be split at.
        self._is_empty = np.asarray(np.isnan(columns[:, self._order]).all(axis=0))
        model = HistGradientBoostingRegressor(
            categorical_features=list(range(len(codes))),
            max_iter=150,
            learning_rate=0.1,
            min_samples_leaf=5,
            max_features=0.7,
            early_stopping=False,
            random_state=seed,
        )
        with config_context(assume_finite=True, skip_parameter_validation=True):
            model.fit(self._prepared(columns), targets)
        most = int(self._num_codes.max(initial=0))
        self._trees = taken_out(model, columns.shape[1], most)

    def _offsets(self) -> Array:
        """What is added to a category's codes, so that those of all are ascending."""
        return CODES * np.arange(len(self._num_codes), dtype=np.float64)

    def _prepared(self, columns: Array) -> Array:
        """Categories first, as places among the known ones, NaN where unknown; then numbers."""
        prepared = columns[:, self._order]
        if len(self._known):
            codes = prepared[:, : len(self._num_codes)] + self._offsets()
            found = np.minimum(np.searchsorted(self._known, codes), len(self._known) - 1)
            place = found - (np.cumsum(self._num_codes) - self._num_codes)
            prepared[:, : codes.shape[1]] = np.where(self._known[found] == codes, place, np.nan)
        prepared[:, self._is_empty] = 0.0
        return prepared

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        return self._trees.predict(self._prepared(columns))

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        own: State = {
            "order": self._order,
            "is_empty": self._is_empty,
            "known": self._known,
            "num_codes": self._num_codes,
        }
        return join({"own": own, "trees": self._trees.state()})

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BoostedTrees:
        """The model that `state()` was called on."""
        own = part(state, "own")
        model = cls.__new__(cls)
        model._order, model._is_empty = np.array(own["order"]), np.array(own["is_empty"])
        model._known, model._num_codes = np.array(own["known"]), np.array(own["num_codes"])
        model._trees = QuickScorer.from_state(part(state, "trees"))
        return model


def _frequent(column: Array) -> Array:
    """The most frequent codes, ascending; at least one."""
    codes, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    if len(codes) == 0:
        return np.zeros(1)
    return np.sort(codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])


def taken_out(model: Any, num_columns: int, most_codes: int) -> QuickScorer:
    """The trees of a fitted `HistGradientBoostingRegressor`.

    They are no part of scikit-learn's public interface; a test holds them to its predictions.

    Args:
        model: fitted to `num_columns` columns, categories first.
        num_columns: `k`.
        most_codes: codes of categories are below this.
    """
    trees = [_tree(stage[0], most_codes) for stage in model._predictors]
    return QuickScorer(trees, num_columns, float(np.ravel(model._baseline_prediction)[0]))


def _tree(grown: Any, most_codes: int) -> Tree:
    nodes = grown.nodes
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    is_category = nodes["is_categorical"].astype(np.bool_) & ~is_leaf
    missing_right = nodes["missing_go_to_left"] == 0
    goes_right = np.zeros((len(nodes), most_codes + 1), dtype=np.bool_)
    goes_right[:, most_codes] = missing_right
    sets = grown.raw_left_cat_bitsets[nodes["bitset_idx"][is_category]].astype(np.int64)
    code = np.arange(most_codes)
    goes_right[is_category, :most_codes] = (sets[:, code >> 5] >> (code & 31)) & 1 == 0
    return Tree(
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        is_leaf=is_leaf,
        value=nodes["value"],
        column=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        missing_right=missing_right,
        is_category=is_category,
        goes_right=goes_right,
    )


class BoostedTreesPredictor(RefittedPredictor):
    """150 rounds of boosting at a rate of 0.1 with 31 leaves, categories as categories."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> BoostedTrees:
        return BoostedTrees(rows, targets, self.layout.categories, seed)

    def _restored(self, state: State) -> BoostedTrees:
        return BoostedTrees.from_state(state)
