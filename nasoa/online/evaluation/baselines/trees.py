"""scikit-learn's trees, refitted on a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from nasoa.online.evaluation.baselines.refitted import OnEncoded, RefittedPredictor
from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.layout import Array, State

MOST_CATEGORIES = 255  # per column, that boosting treats as categories


class Forest:
    """Sixty extremely randomised trees (Geurts et al. 2006).

    Args:
        columns: `(n, k)` finite numbers, n > 0.
        targets: `(n,)` targets.
        seed: random seed for the splits.
    """

    def __init__(self, columns: Array, targets: Array, seed: int) -> None:
        self._fitted_on = _copied(columns, targets, seed)
        self._model = ExtraTreesRegressor(
            60, min_samples_leaf=2, max_features=0.5, random_state=seed, n_jobs=1
        ).fit(columns, targets)

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""
        with config_context(assume_finite=True, skip_parameter_validation=True):
            return np.asarray(self._model.predict(columns), dtype=np.float64)

    def state(self) -> State:
        """Return the training data as arrays, because scikit-learn's models can only be pickled."""
        return self._fitted_on

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Forest:
        """Restore a forest from its `state()` by refitting."""
        return cls(state["columns"], state["targets"], int(state["seed"]))


class BoostedTrees:
    """150 rounds of histogram gradient boosting; categories are split as sets.

    Args:
        columns: `(n, k)` numbers and codes, NaN where missing.
        targets: `(n,)` targets.
        categories: indices of the columns with codes. The 255 most frequent codes of each column
            are distinguished; all others count as missing.
        seed: random seed for the columns that a split may use.
    """

    def __init__(
        self, columns: Array, targets: Array, categories: Sequence[int], seed: int
    ) -> None:
        self._fitted_on = _copied(columns, targets, seed)
        self._categories = tuple(categories)
        self._codes = [_frequent(columns[:, column]) for column in self._categories]
        # A column with only missing values cannot be split.
        self._kept = np.asarray(~np.isnan(columns).all(axis=0))
        self._kept[list(self._categories)] = True
        is_category = np.isin(np.arange(columns.shape[1]), self._categories)[self._kept]
        self._model = HistGradientBoostingRegressor(
            categorical_features=is_category,
            max_iter=150,
            learning_rate=0.1,
            min_samples_leaf=5,
            max_features=0.7,
            early_stopping=False,
            random_state=seed,
        ).fit(self._prepared(columns), targets)

    def _prepared(self, columns: Array) -> Array:
        """Return the columns with codes as indices among the known ones, NaN where unknown."""
        prepared = columns.copy()
        for column, known in zip(self._categories, self._codes, strict=True):
            index = np.minimum(np.searchsorted(known, columns[:, column]), len(known) - 1)
            is_known = known[index] == columns[:, column]
            prepared[:, column] = np.where(is_known, index, np.nan)
        return prepared[:, self._kept] if self._kept.any() else np.zeros((len(columns), 1))

    def predict(self, columns: Array) -> Array:
        """Return `(n,)` predictions for `(n, k)` rows."""
        with config_context(assume_finite=True, skip_parameter_validation=True):
            return np.asarray(self._model.predict(self._prepared(columns)), dtype=np.float64)

    def state(self) -> State:
        """Return the training data as arrays."""
        return {**self._fitted_on, "categories": np.array(self._categories, dtype=np.int64)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BoostedTrees:
        """Restore a model from its `state()` by refitting."""
        categories = state["categories"].tolist()
        return cls(state["columns"], state["targets"], categories, int(state["seed"]))


def _copied(columns: Array, targets: Array, seed: int) -> State:
    return {"columns": columns.copy(), "targets": targets.copy(), "seed": np.array(seed)}


def _frequent(column: Array) -> Array:
    """Return the most frequent codes, ascending; at least one."""
    codes, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    if len(codes) == 0:
        return np.zeros(1)
    return np.sort(codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])


class ExtraTreesPredictor(RefittedPredictor):
    """Extremely randomised trees on encoded rows."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> OnEncoded:
        encoding = Encoding(self.layout, rows)
        return OnEncoded(encoding, Forest(encoding.encode(rows), targets, seed))

    def _restored(self, state: State) -> OnEncoded:
        return OnEncoded.from_state(state, Forest.from_state)


class BoostedTreesPredictor(RefittedPredictor):
    """Boosted trees on rows without encoding."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> BoostedTrees:
        return BoostedTrees(rows, targets, self.layout.categories, seed)

    def _restored(self, state: State) -> BoostedTrees:
        return BoostedTrees.from_state(state)
