"""Names beside marks."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nasoa.report.axes import Axes
from nasoa.report.labels import LETTER, Named, labels

AXES = Axes(400, 300)


def boxes(drawn: str) -> list[tuple[float, float, float]]:
    """Return left end, right end and base line of each label."""
    found = []
    for x, y, anchor, text in re.findall(
        r'x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)<', drawn
    ):
        width = LETTER * len(text)
        left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        found.append((left, left + width, float(y)))
    return found


def test_labels_do_not_overlap_and_stay_inside() -> None:
    rng = np.random.default_rng(0)
    marks = [
        Named(AXES.x(x), AXES.y(y), f"model-{i}") for i, (x, y) in enumerate(rng.random((60, 2)))
    ]
    found = boxes(labels(marks, AXES))
    assert 10 < len(found) < 60
    for i, (left, right, y) in enumerate(found):
        assert 0 < left < right < 400
        assert 0 < y < 300
        for other_left, other_right, other_y in found[:i]:
            assert right <= other_left or other_right <= left or abs(y - other_y) > 13


@pytest.mark.parametrize(("x", "anchor"), [(0.1, "start"), (0.99, "end")])
def test_a_label_is_where_there_is_room(x: float, anchor: str) -> None:
    drawn = labels([Named(AXES.x(x), AXES.y(0.5), "a <b>")], AXES)
    assert f'text-anchor="{anchor}">a &lt;b&gt;</text>' in drawn


def test_a_name_is_cut_off_and_a_covered_one_left_out() -> None:
    at = AXES.x(0.1), AXES.y(0.5)
    assert ">" + "n" * 27 + "…<" in labels([Named(*at, "n" * 40)], AXES)
    # One fits to the right, one above or below; the left side and the middle have no room.
    marks = [Named(*at, "n" * 28)] * 6
    assert labels(marks, AXES).count("<text") == 1
