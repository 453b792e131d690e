"""Escape characters that would control a terminal or forge lines of a log."""

from __future__ import annotations

import re

# C0 and C1 control characters, directional formatting characters, line separators, and the
# surrogates that stand for bytes that are not UTF-8.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)
# A name in an archive may have 65,535 characters. Of longer texts the beginning and the end stay.
LONGEST = 2000
_END = 600


def escaped(text: str) -> str:
    r"""Return a text with control characters replaced by their Python escape sequences.

    >>> escaped("red\x1b[31m") == r"red\x1b[31m"
    True
    """
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def escaped_lines(text: str) -> str:
    """Escape each line of a text as `escaped` does; line breaks and tabs are kept."""
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
