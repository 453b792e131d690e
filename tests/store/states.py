"""Compare the states of predictors."""

from __future__ import annotations

import numpy as np

from nasoa.store.snapshots import State


def assert_equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def assert_close(one: State, other: State) -> None:
    """Assert that two states are equal up to rounding.

    Rounding differs with the number of threads, and if a state was saved and loaded in between.
    """
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-9, atol=1e-12)
