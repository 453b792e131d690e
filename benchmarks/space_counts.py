"""Count the architectures of the spaces, and compare with the paper's numbers.

Blocks: every text, the canonical forms among them, and those that can be built in a macro
structure. Whether groups divide the channels depends on the operators and, of the skips, only on
the concatenations (they widen the input of the next operator), so each pattern of concatenations is
checked once. Macro structures: by a formula, which the tests check against a listing of small
spaces.

    python -m benchmarks.space_counts [-o FILE]
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import product
from math import comb
from pathlib import Path

from benchmarks.machine import RESULTS, machine, write
from nasoa.arch import parse_block
from nasoa.arch.spec import BlockSpec, Operator, Skip
from nasoa.offline.canonical import canonical_skips, possible_skips
from nasoa.offline.space import RESNET50_MACRO, SMALL_MACRO, BlockSpace, MacroSpace

KINDS, RATIOS, MAX_SKIPS = 5, 5, 3


def texts(num_operators: int) -> int:
    """Count texts as the paper does: three skips, each of any pair of nodes and two kinds."""
    pairs = num_operators * (num_operators + 1) // 2
    return int(KINDS**num_operators * RATIOS ** (num_operators - 1) * (2 * pairs) ** MAX_SKIPS)


def buildable(num_operators: int, space: BlockSpace) -> int:
    """Count canonical blocks that can be built in the space at its first channel."""
    patterns: Counter[tuple[Skip, ...]] = Counter(
        tuple(skip for skip in skips if skip.kind == "c" and skip.target < num_operators)
        for skips in canonical_skips(num_operators, MAX_SKIPS)
    )
    choices = [[Operator(kind, ratio) for kind, ratio in product(range(KINDS), range(RATIOS))]] * (
        num_operators - 1
    ) + [[Operator(kind) for kind in range(KINDS)]]
    total = 0
    for concatenations, times in patterns.items():
        for operators in product(*choices):
            spec = space.unchecked(BlockSpec(operators, concatenations))
            total += times * (space.valid(spec) is not None)
    return total


def count_blocks(num_operators: int) -> dict[str, int]:
    """Count texts, canonical forms, and blocks that can be built."""
    operators = KINDS**num_operators * RATIOS ** (num_operators - 1)
    paper = BlockSpace(stages=RESNET50_MACRO, first_channels=(64,))
    small = BlockSpace(stages=SMALL_MACRO, first_channels=(32,))
    return {
        "operators": num_operators,
        "texts_with_three_skips": texts(num_operators),
        "possible_skips": len(possible_skips(num_operators)),
        "canonical": operators * len(canonical_skips(num_operators, MAX_SKIPS)),
        "buildable_in_resnet50": buildable(num_operators, paper),
        "buildable_in_small": buildable(num_operators, small),
    }


def readings() -> dict[str, int]:
    """Return readings of the paper's 1.5e7 macro structures; none gives that number."""
    space = MacroSpace.paper((parse_block("020-"),))
    divisions = sum(comb(n - 1, 3) for n in range(10, 51))
    return {
        "all": space.count(),
        "divisions_of_10_to_50_blocks_into_4_stages": divisions,
        "those_times_3_first_and_3_last_channels": 9 * divisions,
        "those_times_10_cells": 90 * divisions,
    }


def main() -> None:
    """Count, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "space_counts.json")
    arguments = parser.parse_args()
    result: dict[str, object] = {
        "command": "python -m benchmarks.space_counts",
        "machine": machine(),
        "blocks": [count_blocks(n) for n in (1, 2, 3)],
        "paper_blocks": 5_400_000,
        "macro": readings(),
        "paper_macro": 15_000_000,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
