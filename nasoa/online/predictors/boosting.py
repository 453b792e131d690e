"""Gradient boosting of symmetric trees, as plain arrays.

A symmetric (oblivious) tree asks the same question at all nodes of a level, so `depth` comparisons
give the number of the leaf. That regularises small tables well (Prokhorenkova et al. 2018, "CatBoost")
and a row is predicted by one comparison of arrays, hundreds of times quicker than by a call into a
library. Splits are found on histograms (Ke et al. 2017, "LightGBM"); each tree sees a random part
of rows and columns (Friedman 2002, "Stochastic gradient boosting").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictors.layout import Array, State

BINS = 32


class BoostedTrees:
    """Squared error boosted by symmetric trees.

    Args:
        columns: `(n, k)` finite numbers, n > 0.
        targets: `(n,)`.
        rng: which rows and columns a tree sees.
        trees: how many.
        depth: levels of each.
        rate: share of a tree's step that is taken.
        penalty: ridge penalty on a leaf, in rows.
        rows_share: of the rows that a tree sees.
        columns_share: of the columns that a level of a tree may ask for.
    """

    def __init__(
        self,
        columns: Array,
        targets: Array,
        rng: np.random.Generator,
        *,
        trees: int = 200,
        depth: int = 5,
        rate: float = 0.1,
        penalty: float = 1.0,
        rows_share: float = 0.6,
        columns_share: float = 0.5,
    ) -> None:
        self._base = np.array(targets.mean())
        self._features = np.zeros((trees, depth), dtype=np.int32)
        self._thresholds = np.full((trees, depth), np.inf)
        self._leaves = np.zeros((trees, 2**depth))
        bins = _Bins(columns)
        usable = np.flatnonzero(np.isfinite(bins.edges[:, 0]))
        if len(usable) == 0:
            return
        residuals = targets - self._base
        num_rows = max(1, round(rows_share * len(targets)))
        num_columns = max(1, round(columns_share * len(usable)))
        for tree in range(trees):
            seen = np.sort(rng.permutation(len(targets))[:num_rows])
            leaf = np.zeros(len(seen), dtype=np.int64)
            for level in range(depth):
                asked = np.sort(rng.permutation(usable)[:num_columns])
                codes = bins.codes[np.ix_(seen, asked)]
                split = _best_split(codes, leaf, residuals[seen], 2**level, penalty)
                if split is None:
                    break
                feature, code = int(asked[split[0]]), split[1]
                self._features[tree, level] = feature
                self._thresholds[tree, level] = bins.edges[feature, code]
                leaf += (bins.codes[seen, feature] > code).astype(np.int64) << level
            sums = np.bincount(leaf, residuals[seen], minlength=2**depth)
            counts = np.bincount(leaf, minlength=2**depth)
            self._leaves[tree] = rate * sums / (counts + penalty)
            residuals -= self._leaves[tree, self._leaf_of(columns, tree)]

    def _leaf_of(self, columns: Array, tree: int) -> NDArray[np.int64]:
        right = columns[:, self._features[tree]] > self._thresholds[tree]
        return right @ (1 << np.arange(right.shape[1]))

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        right = columns[:, self._features] > self._thresholds
        leaf = right @ (1 << np.arange(right.shape[2]))
        total: Array = self._leaves[np.arange(len(self._leaves)), leaf].sum(axis=1) + self._base
        return total

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {name: getattr(self, f"_{name}") for name in self._NAMES}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> BoostedTrees:
        """The trees that `state()` was called on."""
        model = cls.__new__(cls)
        for name in cls._NAMES:
            setattr(model, f"_{name}", np.array(state[name]))
        return model

    _NAMES = ("base", "features", "thresholds", "leaves")


class _Bins:
    """`codes` `(n, k)`: which bin of its column a value is in; `edges` `(k, BINS - 1)` between."""

    def __init__(self, columns: Array) -> None:
        self.edges = np.full((columns.shape[1], BINS - 1), np.inf)
        self.codes = np.zeros(columns.shape, dtype=np.int64)
        for number, column in enumerate(columns.T):
            values = np.unique(column)
            middles = (values[1:] + values[:-1]) / 2.0
            if len(middles) >= BINS:
                quantiles = np.quantile(column, np.arange(1, BINS) / BINS, method="nearest")
                places = np.searchsorted(values, np.unique(quantiles))
                middles = middles[places[places < len(middles)]]
            self.edges[number, : len(middles)] = middles
            self.codes[:, number] = np.searchsorted(middles, column)


def _best_split(
    codes: NDArray[np.int64],
    leaf: NDArray[np.int64],
    residuals: Array,
    num_leaves: int,
    penalty: float,
) -> tuple[int, int] | None:
    """Column and bin after which to split every leaf, or None if none makes the error less."""
    num_columns = codes.shape[1]
    shape = (num_leaves, num_columns, BINS)
    place = (leaf[:, None] * num_columns + np.arange(num_columns)) * BINS + codes
    place = place.ravel()
    size = num_leaves * num_columns * BINS
    sums = np.bincount(place, np.repeat(residuals, num_columns), size).reshape(shape)
    counts = np.bincount(place, minlength=size).reshape(shape).astype(np.float64)
    np.cumsum(sums, axis=2, out=sums)
    np.cumsum(counts, axis=2, out=counts)
    all_sums, all_counts = sums[:, :, -1:], counts[:, :, -1:]
    gains = (
        sums**2 / (counts + penalty)
        + (all_sums - sums) ** 2 / (all_counts - counts + penalty)
        - all_sums**2 / (all_counts + penalty)
    ).sum(axis=0)
    best = int(np.argmax(gains))
    if not gains.flat[best] > 1e-12:
        return None
    return best // BINS, best % BINS
