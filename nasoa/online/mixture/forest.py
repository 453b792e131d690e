"""Extra trees, refitted on a schedule: grown by scikit-learn, walked by numpy.

scikit-learn takes milliseconds for the prediction of one row by a forest, most of it checking, and
its models can only be saved by pickling; so its trees are taken out as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.column_encoding import Encoding
from nasoa.online.mixture.layout import Array, State
from nasoa.online.mixture.refitted import OnEncoded, RefittedPredictor

NUM_TREES = 60
# Between looks at which walks have ended.
STEPS = 4


class Forest:
    """Extremely randomised trees.

    All nodes stand in one row of arrays, tree after tree; the left child of a node is the next one.

    Args:
        columns: `(n, k)` finite numbers, n > 0.
        targets: `(n,)`.
        seed: of the splits.
    """

    def __init__(self, columns: Array, targets: Array, seed: int) -> None:
        # To import it takes a second, which predicting by trees that are there need not wait for.
        from sklearn.ensemble import ExtraTreesRegressor  # noqa: PLC0415

        model = ExtraTreesRegressor(
            NUM_TREES, min_samples_leaf=2, max_features=0.5, random_state=seed, n_jobs=1
        )
        model.fit(columns, targets)
        trees = [tree.tree_ for tree in model.estimators_]
        self._roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        column = np.concatenate([tree.feature for tree in trees])
        # A leaf, in column -1, has its value where others have a threshold. Trees are grown on
        # float32: of two such numbers the smaller stays so.
        self._column = np.where(is_leaf, -1, column).astype(np.int32)
        threshold = np.concatenate([tree.threshold for tree in trees])
        value = np.concatenate([tree.value[:, 0, 0] for tree in trees])
        self._number = np.where(is_leaf, value, _rounded_down(threshold)).astype(np.float32)
        right = [r + tree.children_right for r, tree in zip(self._roots, trees, strict=True)]
        self._right = np.where(is_leaf, 0, np.concatenate(right)).astype(np.int32)
        self._prepare()

    def _prepare(self) -> None:
        places = np.arange(len(self._column), dtype=np.int32)
        is_leaf = self._column < 0
        # A leaf is its own child, so that all trees can be walked equally deep.
        left, right = np.where(is_leaf, places, places + 1), np.where(is_leaf, places, self._right)
        self._children = np.stack([left, right], axis=1).ravel()
        self._asked = np.where(is_leaf, 0, self._column)

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`."""
        values = columns.astype(np.float32).ravel()
        start = np.repeat(np.arange(len(columns)) * columns.shape[1], len(self._roots))
        ends = np.tile(self._roots, len(columns))
        nodes, walking = ends, np.arange(len(ends))
        while len(walking):
            for _ in range(STEPS):
                goes_right = values.take(start + self._asked.take(nodes)) > self._number.take(nodes)
                nodes = self._children.take(2 * nodes + goes_right)
            ends[walking] = nodes
            goes_on = self._column.take(nodes) >= 0
            nodes, start, walking = nodes[goes_on], start[goes_on], walking[goes_on]
        found = self._number.take(ends).reshape(len(columns), -1)
        means: Array = found.mean(axis=1, dtype=np.float64)
        return means

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return {
            "roots": self._roots,
            "column": self._column,
            "number": self._number,
            "right": self._right,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Forest:
        """The forest that `state()` was called on."""
        forest = cls.__new__(cls)
        for name in ("roots", "column", "number", "right"):
            setattr(forest, f"_{name}", np.array(state[name]))
        forest._prepare()
        return forest


def _rounded_down(numbers: Array) -> NDArray[np.float32]:
    """The greatest float32 that is not above each."""
    rounded = numbers.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    found: NDArray[np.float32] = np.where(rounded > numbers, below, rounded)
    return found


class ExtraTreesPredictor(RefittedPredictor):
    """60 extremely randomised trees (Geurts et al. 2006) on encoded rows."""

    def _fit(self, rows: Array, targets: Array, seed: int) -> OnEncoded:
        encoding = Encoding(self.layout, rows)
        return OnEncoded(encoding, Forest(encoding.encode(rows), targets, seed))

    def _restored(self, state: State) -> OnEncoded:
        return OnEncoded.from_state(state, Forest.from_state)
