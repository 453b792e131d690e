"""One canonical form for all encodings of a block that build equivalent networks.

- Two nodes are either connected or not: a skip that is repeated, or that repeats the fixed
  residual, is dropped. (Built as written, `a02a02` adds twice and `c02c02` concatenates twice: the
  same functions at a higher cost, since the next convolution or batch normalisation can scale and
  merge the copies.)
- Skips that end at different nodes are independent, so they are sorted by the node where they end.
- At one node, consecutive additions commute, so they are sorted by the node where they begin. A
  concatenation changes what comes after it, so it keeps its position.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby, product

from nasoa.arch.spec import ArchSpec, BlockSpec, Operator, Skip


def canonical(spec: ArchSpec) -> ArchSpec:
    """Return the network with its block in canonical form."""
    return ArchSpec(canonical_block(spec.block), spec.first_channel, spec.stages)


def canonical_block(block: BlockSpec) -> BlockSpec:
    """Return the block in canonical form."""
    residual = Skip("a", 0, len(block.operators))
    once = [skip for skip in dict.fromkeys(block.skips) if skip != residual]
    by_place = sorted(once, key=lambda skip: skip.target)
    skips: list[Skip] = []
    for (_, kind), group in groupby(by_place, key=lambda skip: (skip.target, skip.kind)):
        run = list(group)
        skips += sorted(run, key=lambda skip: skip.source) if kind == "a" else run
    return BlockSpec(block.operators, tuple(skips))


def possible_skips(num_operators: int) -> list[Skip]:
    """Return the skips of a block other than copies of the fixed residual, in a fixed order."""
    last = num_operators
    return [
        Skip(kind, source, target)
        for target in range(1, last + 1)
        for source in range(target)
        for kind in "ac"
        if (kind, source, target) != ("a", 0, last)
    ]


@cache
def canonical_skips(num_operators: int, max_skips: int) -> tuple[tuple[Skip, ...], ...]:
    """Return every canonical sequence of at most `max_skips` skips."""
    kinds = possible_skips(num_operators)
    operators = (Operator(0, 2),) * (num_operators - 1) + (Operator(0),)
    found = {
        canonical_block(BlockSpec(operators, skips)).skips: None
        for count in range(max_skips + 1)
        for skips in product(kinds, repeat=count)
    }
    return tuple(found)
