"""Which candidate exploration tries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.choice.exploration import check_cost, most_informative

SHARES = st.floats(0.0, 1.0)


@given(rows=st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=20), cost=st.floats(0.0, 0.1))
def test_costs_no_more_than_it_may(rows: list[tuple[float, float]], cost: float) -> None:
    predicted, widths = np.array(rows).T
    found = most_informative(predicted, widths, cost)
    assert predicted[found] >= predicted.max() - cost
    allowed = predicted >= predicted.max() - cost
    assert widths[found] == pytest.approx(widths[allowed].max())


def test_of_equally_sure_ones_the_best() -> None:
    assert most_informative(np.array([0.8, 0.9, 0.85]), np.full(3, 0.1), 0.1) == 1


@pytest.mark.parametrize("cost", [-0.01, 0.2, float("nan")])
def test_wrong_costs(cost: float) -> None:
    with pytest.raises(InvalidInput, match=r"from 0 to 0\.1, in accuracy"):
        check_cost(cost)
