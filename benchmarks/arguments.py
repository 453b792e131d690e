"""Types of arguments on the command line of benchmarks, for `argparse`."""

from __future__ import annotations

import argparse
import math

from nasoa.whole_number import whole_number

MOST = 10**9


def at_least_one(text: str) -> int:
    """Parse a whole number of 1 or more.

    Raises:
        ArgumentTypeError: it is another text.
    """
    number = whole_number(text, MOST)
    if not number:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return number


def positive(text: str) -> float:
    """Parse a number above 0.

    Raises:
        ArgumentTypeError: it is another text.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number
