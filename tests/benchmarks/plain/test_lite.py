"""The image size that fits a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from benchmarks.plain.lite import candidate_sizes, largest_size


def costing(seconds: Callable[[int], float]) -> tuple[list[int], Callable[[int], float]]:
    """Return the list of measured sizes, and a measurement that fills it."""
    measured: list[int] = []

    def batch_s(size: int) -> float:
        measured.append(size)
        return seconds(size)

    return measured, batch_s


def test_no_more_than_three_times_the_native_size() -> None:
    assert candidate_sizes(64) == [64, 96, 128, 160, 192]
    assert candidate_sizes(500)[-1] == 224
    assert candidate_sizes(8) == [64]


@pytest.mark.parametrize(("left_s", "expected"), [(1e6, 192), (500.0, 128), (150.0, 64), (1.0, 64)])
def test_the_largest_that_fits(left_s: float, expected: int) -> None:
    _measured, batch_s = costing(lambda size: (size / 64) ** 2)
    end = time.perf_counter() + left_s
    assert largest_size([64, 96, 128, 192], batch_s, 100, end) == expected


def test_a_size_slower_than_its_pixels_is_given_up() -> None:
    measured, batch_s = costing(lambda size: (size / 64) ** 2 * (10 if size == 192 else 1))
    end = time.perf_counter() + 1000.0
    assert largest_size([64, 96, 128, 192], batch_s, 100, end) == 128
    assert measured == [64, 192, 128]
