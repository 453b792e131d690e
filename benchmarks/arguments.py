"""Arguments on the command line of benchmarks: types for `argparse`, and shares of the work."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TypeVar

from nasoa.whole_number import whole_number

T = TypeVar("T")

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


def add_shares(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of processes that share the work: `--shard I K` and `--threads N`."""
    parser.add_argument(
        "--shard",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("I", "K"),
        help="only the trainings of process I of K, without the result",
    )
    parser.add_argument("--threads", type=at_least_one, default=1, metavar="N")


def share(work: Sequence[T], shard: tuple[int, int]) -> Sequence[T]:
    """Return every K-th piece of work from the I-th on.

    Raises:
        ValueError: I is not one of 0 to K - 1.
    """
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"expected --shard I K with I from 0 to K - 1, got {index} {count}")
    return work[index::count]
