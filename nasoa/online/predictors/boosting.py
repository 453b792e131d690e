"""Boosted trees on a schedule, by scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingRegressor

from nasoa.online.predictors.layout import Array
from nasoa.online.predictors.refitted import RefittedPredictor

# scikit-learn takes categories as such only up to this many.
MOST_CATEGORIES = 255


class BoostedTrees:
    """Histogram gradient boosting of squared error; categories are split as sets.

    Its only state is what it was fitted to: fitted again to the same, it is the same.

    Args:
        columns: `(n, k)`, NaN where missing.
        targets: `(n,)`.
        categories: which columns hold codes; codes from 255 on count as missing.
        seed: of the columns that a split may use.
    """

    def __init__(
        self, columns: Array, targets: Array, categories: Sequence[int], seed: int
    ) -> None:
        self._categories = list(categories)
        self._model = HistGradientBoostingRegressor(
            categorical_features=self._categories,
            max_iter=150,
            learning_rate=0.1,
            min_samples_leaf=5,
            max_features=0.7,
            early_stopping=False,
            random_state=seed,
        )
        with config_context(assume_finite=True, skip_parameter_validation=True):
            self._model.fit(self._prepared(columns), targets)

    def _prepared(self, columns: Array) -> Array:
        prepared = columns.copy()
        codes = prepared[:, self._categories]
        codes[codes >= MOST_CATEGORIES] = np.nan
        prepared[:, self._categories] = codes
        return prepared

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        with config_context(assume_finite=True, skip_parameter_validation=True):
            return np.asarray(self._model.predict(self._prepared(columns)))


class BoostedTreesPredictor(RefittedPredictor):
    """150 rounds of boosting at a rate of 0.1 with 31 leaves, categories as categories."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> BoostedTrees:
        return BoostedTrees(rows, targets, self.layout.categories, seed)
