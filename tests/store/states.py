"""Whether states of predictors are the same."""

from __future__ import annotations

import numpy as np

from nasoa.store.snapshots import State


def assert_equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def assert_close(one: State, other: State) -> None:
    """Equal but for rounding.

    It differs with the number of threads, and where a state was saved and loaded on the way.
    """
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-9, atol=1e-12)
