"""Wilson's interval, against statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from nasoa.online.tuning.wilson_interval import wilson_interval


@pytest.mark.parametrize(
    ("correct", "total"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 12), (950, 1000), (3, 10_000)]
)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_it_is_that_of_statsmodels(correct: int, total: int, confidence: float) -> None:
    expected = proportion_confint(correct, total, alpha=1 - confidence, method="wilson")
    assert wilson_interval(correct, total, confidence) == pytest.approx(expected, abs=1e-9)


def test_nothing_is_known_without_images() -> None:
    assert wilson_interval(0, 0) is None
