"""Text that does to a terminal and a log nothing but stand there."""

from __future__ import annotations

import re

# Control characters, of C1 too, those that turn the direction of text, line separators, and bytes
# that are not UTF-8.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escaped(text: str) -> str:
    r"""Return a text in which control characters are shown as Python writes them.

    >>> escaped("red\x1b[31m") == r"red\x1b[31m"
    True
    """
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def escaped_lines(text: str) -> str:
    """Return a text of several lines, each as `escaped` returns it; tabs stay too."""
    return re.sub(r"[^\n\t]+", lambda found: escaped(found[0]), text)
