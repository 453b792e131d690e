"""Colours of the output, where a person sees it."""

from __future__ import annotations

import os
from typing import TextIO

RED = "31;1"


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """Return text in a colour if `stream` is a terminal that shows colours.

    The environment variable NO_COLOR, if it is not empty, turns colours off (https://no-color.org).

    Args:
        text: the text.
        colour: parameters of the escape sequence, such as `RED`.
        stream: where the text will be written.
    """
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{colour}m{text}\033[0m"
