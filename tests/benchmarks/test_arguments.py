"""Arguments of benchmarks, and how processes share the work."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.arguments import at_least_one, positive
from benchmarks.shards import share


def test_numbers() -> None:
    assert (at_least_one("12"), positive("1e-3")) == (12, 0.001)
    for parse, texts in ((at_least_one, ("0", "-1", "1.5", "x")), (positive, ("0", "nan", "inf"))):
        for text in texts:
            with pytest.raises(argparse.ArgumentTypeError, match=f"got '{text}'"):
                parse(text)


def test_processes_share_all_the_work() -> None:
    work = list(range(7))
    parts = [share(work, (index, 3)) for index in range(3)]
    assert sorted(number for part in parts for number in part) == work
    assert max(map(len, parts)) - min(map(len, parts)) == 1
    with pytest.raises(ValueError, match="expected --shard I K with I from 0 to K - 1, got 2 2"):
        share(work, (2, 2))
