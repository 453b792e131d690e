"""Accuracies as log-odds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.online.regimes.log_odds import (
    LEAST,
    from_log_odds,
    log_odds,
    surplus,
    unclipped_log_odds,
)

INNER = st.floats(LEAST, 1.0 - LEAST)


@given(accuracy=INNER)
def test_there_and_back(accuracy: float) -> None:
    assert float(from_log_odds(log_odds(accuracy))) == pytest.approx(accuracy)


@given(accuracy=st.floats(0.0, 1.0), expected=st.floats(-6.0, 6.0))
def test_a_surplus_gives_the_accuracy_back(accuracy: float, expected: float) -> None:
    added = surplus([accuracy], np.array([expected]))
    assert 0.0 < added[0] < 1.0
    exact = np.log(added) - np.log1p(-added)
    kept = min(max(accuracy, LEAST), 1.0 - LEAST)
    assert from_log_odds(expected + exact)[0] == pytest.approx(kept, abs=1e-6)


def test_what_is_as_expected_adds_nothing() -> None:
    expected = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(surplus(from_log_odds(expected), expected), 0.5)


def test_missing_stays_missing() -> None:
    assert np.isnan(log_odds(np.nan))


def test_without_a_clip_the_ends_are_infinite() -> None:
    found = unclipped_log_odds([0.0, 0.001, 0.5, 1.0])
    assert found.tolist() == pytest.approx([-np.inf, np.log(0.001 / 0.999), 0.0, np.inf])
    assert from_log_odds(found).tolist() == pytest.approx([0.0, 0.001, 0.5, 1.0])
