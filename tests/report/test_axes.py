"""Scales and levels of charts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nasoa.report.axes import NARROWEST, Axes, Scale

times = st.lists(st.floats(1e-2, 1e6), min_size=1, max_size=9)


@given(times)
def test_a_scale_has_room_for_its_values_and_its_labels(values: list[float]) -> None:
    scale = Scale.of(values)
    for value in values:
        assert 0.0 <= scale.share(value) <= 1.0
    assert scale.is_log == (max(values) / min(values) >= 8.0)
    assert scale.ticks
    for left, right in pairwise(scale.ticks):
        assert float(left.label) < float(right.label)
        widths = 3.4 * (len(left.label) + len(right.label))  # half of 6.8 px a digit, each
        assert (right.share - left.share) * NARROWEST > widths or not scale.is_log


@given(st.lists(st.floats(0, 1), max_size=9))
def test_levels_surround_the_values(values: list[float]) -> None:
    for axes in (Axes.around(400, 300, values), Axes.from_zero(400, 300, values)):
        assert axes.bottom <= min(values, default=0.5)
        assert axes.top >= max(values, default=0.5) - 1e-9
        assert 2 <= len(axes.levels) <= 8
        assert axes.levels == tuple(sorted(set(axes.levels)))
