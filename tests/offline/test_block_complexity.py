"""A test on the front: do small models have simple blocks, and large ones complex blocks?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from nasoa.arch import parse
from nasoa.errors import InvalidInput
from nasoa.offline.block_complexity import block_complexity, block_trend
from nasoa.records import Evaluation

Make = Callable[..., Evaluation]
# Blocks of rising complexity, from one operator to three with three skips.
BLOCKS = ("0-", "1-", "020-", "031-", "020-a01", "02031-", "02031-a02", "02031-a02c12")


def evaluated(make: Make, blocks: Sequence[str]) -> list[Evaluation]:
    """Return a front of networks in the order of their step times."""
    return [
        make(f"{block} 16 1-2-21-2", 10.0 * (i + 1), 0.3 + 0.02 * i)
        for i, block in enumerate(blocks)
    ]


def test_complexity_counts_operators_and_skips() -> None:
    assert [block_complexity(parse(f"{b} 16 1-2-21-2")) for b in BLOCKS] == [1, 1, 2, 2, 3, 3, 4, 5]


def test_a_front_that_grows_complex_confirms_the_finding(make_evaluation: Make) -> None:
    found = block_trend(evaluated(make_evaluation, BLOCKS))
    assert found.is_confirmed
    assert found.n == 8
    assert found.spearman > 0.9
    assert found.p_value < 0.01
    assert found.small < found.large


def test_a_front_that_grows_simple_does_not(make_evaluation: Make) -> None:
    found = block_trend(evaluated(make_evaluation, BLOCKS[::-1]))
    assert not found.is_confirmed
    assert found.spearman < -0.9
    assert found.p_value > 0.9


def test_chance_confirms_nothing(make_evaluation: Make) -> None:
    mixed = [BLOCKS[i] for i in (4, 1, 6, 0, 7, 2, 3, 5)]
    assert not block_trend(evaluated(make_evaluation, mixed)).is_confirmed


def test_only_the_front_counts(make_evaluation: Make) -> None:
    on_front = evaluated(make_evaluation, BLOCKS)
    dominated = [make_evaluation("02031-a12c12 16 1-2-21-2", 15.0 + i, 0.1) for i in range(3)]
    assert block_trend([*on_front, *dominated]) == block_trend(on_front)


@pytest.mark.parametrize(
    ("blocks", "got"),
    [(BLOCKS[:3], "got 3;"), (("0-", "1-", "2-", "3-", "4-"), "got 5 equal ones;")],
)
def test_a_front_that_tells_nothing_is_refused(
    make_evaluation: Make, blocks: tuple[str, ...], got: str
) -> None:
    with pytest.raises(InvalidInput, match=f"a front of at least 4 .*{got}"):
        block_trend(evaluated(make_evaluation, blocks))
