"""Text that does to a terminal and a log nothing but stand there."""

from __future__ import annotations

import re

# Control characters, of C1 too, those that turn the direction of text, line separators, and bytes
# that are not UTF-8.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)
# A name in an archive may have 65,535 characters. Of longer texts the beginning and the end stay.
LONGEST = 2000
_END = 600


def escaped(text: str) -> str:
    r"""Return a text in which control characters are shown as Python writes them.

    >>> escaped("red\x1b[31m") == r"red\x1b[31m"
    True
    """
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def escaped_lines(text: str) -> str:
    """Return a text of several lines, each as `escaped` returns it; tabs stay too."""
    return re.sub(r"[^\n\t]+", lambda found: escaped(found[0]), text)


def shortened(text: str) -> str:
    """Return a text in which three points stand for the middle of a very long one.

    The end begins at a word, so that what is left of a secret is not shown without its name.

    >>> len(shortened("x" * 5000 + " expected less")) < LONGEST
    True
    """
    if len(text) <= LONGEST:
        return text
    words = re.split(r"\s+", text[-_END:], maxsplit=1)
    return f"{text[: LONGEST - _END - 5]} ... {words[1] if len(words) > 1 else ''}"
