"""Many small decision trees asked at once, by masks instead of walks.

Each inner node has a mask of the leaves below its left child. A row loses these leaves where it
goes right; the leftmost one that no node took away is where a walk would have ended (Lucchese et
al. 2015, "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
trees"). All nodes of all trees are asked whether or not a walk would have come by, which arrays do
faster than walking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array, State

MOST_LEAVES = 32
# Block and nodes together fit into a processor's second cache.
ROWS_AT_ONCE = 64
LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Tree:
    """One tree, node 0 its root; `n` nodes.

    `left`, `right` `(n,)`: children; `is_leaf` `(n,)`; `value` `(n,)`: of leaves; `column` `(n,)`:
    what a node asks for; `threshold` `(n,)`: what is greater goes right; `missing_right` `(n,)`;
    `goes_right` `(n, c + 1)`: by code, the last for a missing one, in the nodes `is_category`
    `(n,)`.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    is_leaf: NDArray[np.bool_]
    value: Array
    column: NDArray[np.int64]
    threshold: Array
    missing_right: NDArray[np.bool_]
    is_category: NDArray[np.bool_]
    goes_right: NDArray[np.bool_]


class QuickScorer:
    """The sum of trees of at most 32 leaves each.

    Args:
        trees: all for the same columns, with `goes_right` equally wide.
        num_columns: `k`.
        base: what the sum starts from.
    """

    def __init__(self, trees: Sequence[Tree], num_columns: int, base: float) -> None:
        # Nodes first, trees second: what a row lost is gathered along the first axis.
        shape = (max(1, *(int((~tree.is_leaf).sum()) for tree in trees)), len(trees))
        column = np.zeros(shape, dtype=np.int64)
        threshold = np.full(shape, LARGEST)
        lost = np.zeros(shape, dtype=np.uint32)
        values = np.zeros((len(trees), MOST_LEAVES))
        by_code: list[tuple[int, int, NDArray[np.bool_]]] = []
        for number, tree in enumerate(trees):
            masks, leaves = _masks(tree)
            values[number, : len(leaves)] = tree.value[leaves]
            inner = np.flatnonzero(~tree.is_leaf)
            places = np.arange(len(inner)), number
            lost[places] = masks[inner]
            # A missing number is +inf in the first k columns and -inf in the second.
            column[places] = tree.column[inner] + np.where(
                tree.missing_right[inner], 0, num_columns
            )
            threshold[places] = np.minimum(tree.threshold[inner], LARGEST)
            by_code += [
                (place * len(trees) + number, int(tree.column[node]), tree.goes_right[node])
                for place, node in enumerate(inner.tolist())
                if tree.is_category[node]
            ]
        width = trees[0].goes_right.shape[1]
        self._arrays: State = {
            "column": column,
            "threshold": threshold,
            "lost": lost,
            "values": values,
            "base": np.array(base),
            "category_place": np.array([place for place, _, _ in by_code], dtype=np.int64),
            "category_column": np.array([asked for _, asked, _ in by_code], dtype=np.int64),
            "goes_right": np.array([row for _, _, row in by_code], dtype=np.bool_).reshape(
                -1, width
            ),
        }
        self._prepare()

    def _prepare(self) -> None:
        arrays = self._arrays
        self._column = arrays["column"].ravel()
        self._threshold = arrays["threshold"].reshape(-1, 1)
        self._lost = arrays["lost"].reshape(-1, 1)
        self._first_value = np.arange(len(arrays["values"]))[:, None] * MOST_LEAVES
        found = arrays["goes_right"]
        self._codes, self._category = np.unique(arrays["category_column"], return_inverse=True)
        self._missing_code = found.shape[1] - 1
        self._first_code = np.arange(len(found))[:, None] * found.shape[1]

    def predict(self, columns: Array) -> Array:
        """`(n, k)` -> `(n,)`; codes are whole numbers, missing values NaN."""
        starts = range(0, len(columns), ROWS_AT_ONCE)
        return np.concatenate([self._block(columns[s : s + ROWS_AT_ONCE].T) for s in starts])

    def _block(self, columns: Array) -> Array:
        """`(k, n)` -> `(n,)`."""
        missing = np.isnan(columns)
        both = np.concatenate(
            [np.where(missing, np.inf, columns), np.where(missing, -np.inf, columns)]
        )
        right = both.take(self._column, axis=0) > self._threshold
        if len(self._codes):
            asked = self._codes
            codes = np.where(missing[asked], self._missing_code, columns[asked]).astype(np.int64)
            right[self._arrays["category_place"]] = self._arrays["goes_right"].take(
                self._first_code + codes[self._category]
            )
        lost = np.multiply(right, self._lost, dtype=np.uint32)
        num_trees = len(self._first_value)
        left_over = ~np.bitwise_or.reduce(lost.reshape(-1, num_trees, columns.shape[1]), axis=0)
        leftmost = left_over & (~left_over + np.uint32(1))
        leaf = np.log2(leftmost.astype(np.float64)).astype(np.int64)
        found: Array = self._arrays["values"].take(self._first_value + leaf).sum(axis=0)
        return found + self._arrays["base"]

    def state(self) -> State:
        """Everything there is to keep, as arrays."""
        return dict(self._arrays)

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> QuickScorer:
        """The trees that `state()` was called on."""
        scorer = cls.__new__(cls)
        scorer._arrays = {name: np.array(array) for name, array in state.items()}
        scorer._prepare()
        return scorer


def _masks(tree: Tree) -> tuple[NDArray[np.uint32], list[int]]:
    """`(n,)` masks of the leaves below each node's left child, and leaves from left to right."""
    left, right, is_leaf = tree.left.tolist(), tree.right.tolist(), tree.is_leaf.tolist()
    first_leaf = [0] * len(left)
    masks = np.zeros(len(left), dtype=np.uint32)
    leaves: list[int] = []
    # Nodes are met a second time, below None, when all on their left are numbered.
    waiting: list[tuple[int, bool]] = [(0, False)]
    while waiting:
        node, is_left_done = waiting.pop()
        if is_leaf[node]:
            leaves.append(node)
        elif is_left_done:
            masks[node] = (1 << len(leaves)) - (1 << first_leaf[node])
        else:
            first_leaf[node] = len(leaves)
            waiting += [(right[node], False), (node, True), (left[node], False)]
    return masks, leaves
