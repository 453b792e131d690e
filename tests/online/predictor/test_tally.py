"""Mean effects by key."""

from __future__ import annotations

import numpy as np
import pytest

from nasoa.online.predictor.tally import Tally


def test_tally_is_bounded() -> None:
    tally = Tally(capacity=3)
    for number in range(10):
        tally.update(np.float64(number).tobytes(), 1.0)
    assert len(tally) == 3
    assert tally.get(np.float64(9).tobytes()) == pytest.approx((1 / 3, 1.0))
    assert tally.get(np.float64(0).tobytes()) == (0.0, 0.0)
