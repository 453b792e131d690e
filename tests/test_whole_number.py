"""Whole numbers in text, however many digits and of whatever script."""

from __future__ import annotations

import pytest

from nasoa.whole_number import whole_number


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("0", 0, 0),
        ("007", 7, 7),
        ("8", 7, None),
        ("65536", 65536, 65536),
        ("0" * 9000 + "5", 7, 5),
        ("9" * 5000, 10**18, None),  # int() raises an error
        *((text, 99, None) for text in ("", "-1", "+1", " 1", "1_0", "1.0", "\u0661", "\u00b2")),
    ],
)
def test_whole_numbers(text: str, most: int, expected: int | None) -> None:
    assert whole_number(text, most) == expected
