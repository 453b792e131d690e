"""Parsing durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.duration import parse_duration, too_short
from nasoa.errors import TimeLimitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45", 45),
        ("45s", 45),
        (" 1.5m ", 90),
        ("1h30m", 5400),
        ("2 min", 120),
        ("500ms", 0.5),
        (60, 60),
        (0.5, 0.5),
        ("1H", 3600),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-3s", "0", "0.0s", "1x", "1s ago", "1,5s", "inf", "--"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(TimeLimitError):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except TimeLimitError as error:
        assert "\n" not in str(error).replace(text, "")


@pytest.mark.parametrize(
    ("shortest_s", "expected"),
    [(12.21, "at least 12.3 s"), (10.9, "more than 12.0 s"), (12.0, "more than 12.0 s")],
)
def test_a_limit_that_is_too_short(shortest_s: float, expected: str) -> None:
    """What is needed is never told as less than what was given."""
    told = str(too_short(shortest_s, 12.0, "because of x"))
    start = f"expected a time limit of {expected} for this data on this machine, got 12.0 s"
    assert told == f"{start}, because of x; raise --time-limit or use fewer images"
