"""Masks find the leaf that a walk ends in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.online.mixture.quick_scorer import MOST_LEAVES, QuickScorer, Tree

NUM_COLUMNS = 3
NUM_CODES = 4


def grow(seed: int, num_leaves: int) -> Tree:
    """A tree of any shape; column 0 holds codes, the others numbers."""
    rng = np.random.default_rng(seed)
    count = 2 * num_leaves - 1
    left, right = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    is_leaf = np.ones(count, dtype=np.bool_)
    for made in range(1, count, 2):
        node = int(rng.choice(np.flatnonzero(is_leaf[:made])))
        is_leaf[node] = False
        left[node], right[node] = made, made + 1
    column = rng.integers(0, NUM_COLUMNS, count)
    missing_right = rng.integers(0, 2, count).astype(np.bool_)
    goes_right = rng.integers(0, 2, (count, NUM_CODES + 1)).astype(np.bool_)
    goes_right[:, -1] = missing_right
    threshold = rng.choice([-1.0, 0.0, 0.5, np.inf], count)
    return Tree(
        left=left,
        right=right,
        is_leaf=is_leaf,
        value=rng.normal(size=count),
        column=column,
        threshold=threshold,
        missing_right=missing_right,
        is_category=(column == 0) & ~is_leaf,
        goes_right=goes_right,
    )


def walk(tree: Tree, row: np.ndarray) -> float:
    node = 0
    while not tree.is_leaf[node]:
        value = row[tree.column[node]]
        if np.isnan(value):
            is_right = tree.missing_right[node]
        elif tree.is_category[node]:
            is_right = tree.goes_right[node, int(value)]
        else:
            is_right = value > tree.threshold[node]
        node = int((tree.right if is_right else tree.left)[node])
    return float(tree.value[node])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, MOST_LEAVES), min_size=1, max_size=5))
def test_equals_a_walk(seed: int, sizes: list[int]) -> None:
    trees = [grow(seed + number, size) for number, size in enumerate(sizes)]
    rng = np.random.default_rng(seed)
    rows = np.column_stack(
        [rng.integers(0, NUM_CODES, 80), rng.choice([-1e308, -1.0, 0.2, 0.5, 1e308], (80, 2))]
    )
    rows[rng.uniform(size=rows.shape) < 0.2] = np.nan
    scorer = QuickScorer(trees, NUM_COLUMNS, 0.25)
    expected = [0.25 + sum(walk(tree, row) for tree in trees) for row in rows]
    np.testing.assert_allclose(scorer.predict(rows), expected, atol=1e-12)
    again = QuickScorer.from_state(scorer.state())
    np.testing.assert_array_equal(again.predict(rows[:1]), scorer.predict(rows[:1]))
