"""Whole numbers as people and files write them."""

from __future__ import annotations


def whole_number(text: str, most: int) -> int | None:
    """Return the number that a text is, in the digits 0 to 9; None for other text, or above `most`.

    Python raises an error for more than 4300 digits, and takes digits of other scripts.

    >>> whole_number("016", 99), whole_number("-1", 99), whole_number("9" * 5000, 99)
    (16, None, None)
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    if len(digits) > len(str(most)):
        return None
    number = int(digits or "0")
    return number if number <= most else None
