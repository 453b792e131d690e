"""Mutations of the two spaces: one step to a valid, different network.

Blocks (7.3.1): replace an operator, change a ratio, add, remove or modify a skip. Not in the paper:
add or remove an operator, and change the first channel; otherwise the number of operators and the
width would stay as they were sampled.

Macro structures (7.3.2): add a '1', remove a '1', swap two different adjacent numbers (also across
the border of two stages), change the first channel. These preserve the numbers other than '1', so
the space would consist of parts that no mutation connects. Hence three more: change one number (and
with it the last channel), move a doubling from one number to another, and change the cell. Moving a
'1' to another stage connects networks with the fewest and the most blocks.

A kind of mutation is sampled first, then one of its results. So every kind is equally likely,
regardless of its number of results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from nasoa.arch.spec import OPERATOR_NAMES, RATIOS, ArchSpec, BlockSpec, Operator, Skip
from nasoa.errors import InvalidInput
from nasoa.offline.canonical import possible_skips

MULTIPLIERS = (1, 2, 4)

Stages = tuple[tuple[int, ...], ...]


class Space(Protocol):
    """What mutations require of a search space.

    `valid` returns the canonical form of a member, and None for anything outside the space.
    """

    @property
    def first_channels(self) -> tuple[int, ...]:
        """The channels that the stem may output."""

    @property
    def cells(self) -> tuple[BlockSpec, ...]:
        """Blocks to choose from; empty if the block itself is searched."""

    @property
    def mutations(self) -> Mapping[str, Moves]:
        """The kinds of mutation; each yields results that may be invalid."""

    def valid(self, spec: ArchSpec) -> ArchSpec | None:
        """Return the canonical form of a member, else None."""


Moves = Callable[[Space, ArchSpec], Iterator[ArchSpec]]


def mutate(space: Space, spec: ArchSpec, rng: np.random.Generator) -> ArchSpec:
    """Return a random neighbour of a network in a space.

    Raises:
        InvalidInput: `spec` is the only member.
    """
    kinds = list(space.mutations.values())
    for kind in rng.permutation(len(kinds)):
        results = list(kinds[kind](space, spec))
        for result in rng.permutation(len(results)):
            moved = space.valid(results[result])
            if moved is not None and moved != spec:
                return moved
    raise InvalidInput(f"expected a space of more than one network, but {spec} has no neighbour")


def _replace_operator(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for position, operator in enumerate(spec.block.operators):
        for kind in range(len(OPERATOR_NAMES)):
            yield _with_operator(spec, position, replace(operator, kind=kind))


def _change_ratio(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for position, operator in enumerate(spec.block.operators[:-1]):
        for ratio in range(len(RATIOS)):
            yield _with_operator(spec, position, replace(operator, ratio=ratio))


def _add_skip(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    skips = spec.block.skips
    for skip in possible_skips(len(spec.block.operators)):
        for at in range(len(skips) + 1):
            yield _with_block(spec, skips=(*skips[:at], skip, *skips[at:]))


def _remove_skip(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    skips = spec.block.skips
    for at in range(len(skips)):
        yield _with_block(spec, skips=(*skips[:at], *skips[at + 1 :]))


def _modify_skip(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    skips = spec.block.skips
    for at in range(len(skips)):
        for skip in possible_skips(len(spec.block.operators)):
            yield _with_block(spec, skips=(*skips[:at], skip, *skips[at + 1 :]))


def _add_operator(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    """Add an operator at the end or at the front; skips keep their nodes."""
    operators = spec.block.operators
    last = operators[-1]
    for kind in range(len(OPERATOR_NAMES)):
        for ratio in range(len(RATIOS)):
            yield _with_block(spec, (*operators[:-1], replace(last, ratio=ratio), Operator(kind)))
            yield _with_block(spec, (Operator(kind, ratio), *operators))


def _remove_operator(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    """Remove an operator, and the skips from or to nodes that no longer exist."""
    operators = spec.block.operators
    for at in range(len(operators)):
        left = (*operators[:at], *operators[at + 1 :])
        if left:
            skips = tuple(skip for skip in spec.block.skips if skip.target <= len(left))
            yield _with_block(spec, (*left[:-1], replace(left[-1], ratio=None)), skips)


def _change_first_channel(space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    """Change the first channel; the last one changes with it where that is allowed."""
    for channels in space.first_channels:
        yield replace(spec, first_channel=channels)
        for stages in _changed_numbers(spec.stages):
            yield replace(spec, first_channel=channels, stages=stages)


def _change_cell(space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for cell in space.cells:
        yield replace(spec, block=cell)


def _add_one(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for stage, numbers in enumerate(spec.stages):
        for at in range(len(numbers) + 1):
            yield _with_stage(spec, stage, (*numbers[:at], 1, *numbers[at:]))


def _remove_one(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for stage, numbers in enumerate(spec.stages):
        for at, number in enumerate(numbers):
            if number == 1:
                yield _with_stage(spec, stage, (*numbers[:at], *numbers[at + 1 :]))


def _move_one(space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for removed in _remove_one(space, spec):
        yield from _add_one(space, removed)


def _swap_adjacent(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    numbers = _flat(spec.stages)
    for at in range(len(numbers) - 1):
        swapped = (*numbers[:at], numbers[at + 1], numbers[at], *numbers[at + 2 :])
        yield replace(spec, stages=_cut(swapped, spec.stages))


def _change_number(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for stages in _changed_numbers(spec.stages):
        yield replace(spec, stages=stages)


def _hand_doubling(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    numbers = _flat(spec.stages)
    for giver, given in enumerate(numbers):
        for taker, taken in enumerate(numbers):
            if giver != taker and given > 1:
                changed = list(numbers)
                changed[giver], changed[taker] = given // 2, taken * 2
                yield replace(spec, stages=_cut(changed, spec.stages))


BLOCK_MUTATIONS: dict[str, Moves] = {
    "replace operator": _replace_operator,
    "change ratio": _change_ratio,
    "add skip": _add_skip,
    "remove skip": _remove_skip,
    "modify skip": _modify_skip,
    "add operator": _add_operator,
    "remove operator": _remove_operator,
    "change first channel": _change_first_channel,
}
MACRO_MUTATIONS: dict[str, Moves] = {
    "add a 1": _add_one,
    "remove a 1": _remove_one,
    "swap adjacent numbers": _swap_adjacent,
    "change first channel": _change_first_channel,
    "change a number": _change_number,
    "hand on a doubling": _hand_doubling,
    "move a 1": _move_one,
    "change cell": _change_cell,
}


def _with_operator(spec: ArchSpec, position: int, operator: Operator) -> ArchSpec:
    operators = spec.block.operators
    return _with_block(spec, (*operators[:position], operator, *operators[position + 1 :]))


def _with_block(
    spec: ArchSpec,
    operators: tuple[Operator, ...] | None = None,
    skips: tuple[Skip, ...] | None = None,
) -> ArchSpec:
    block = BlockSpec(
        spec.block.operators if operators is None else operators,
        spec.block.skips if skips is None else skips,
    )
    return replace(spec, block=block)


def _with_stage(spec: ArchSpec, stage: int, numbers: tuple[int, ...]) -> ArchSpec:
    return replace(spec, stages=(*spec.stages[:stage], numbers, *spec.stages[stage + 1 :]))


def _changed_numbers(stages: Stages) -> Iterator[Stages]:
    numbers = _flat(stages)
    for at, number in enumerate(numbers):
        for other in MULTIPLIERS:
            if other != number:
                yield _cut((*numbers[:at], other, *numbers[at + 1 :]), stages)


def _flat(stages: Stages) -> tuple[int, ...]:
    return tuple(number for stage in stages for number in stage)


def _cut(numbers: Sequence[int], like: Stages) -> Stages:
    """Divide numbers into stages of the same lengths as those of `like`."""
    ends = np.cumsum([0, *map(len, like)])
    return tuple(tuple(numbers[a:b]) for a, b in pairwise(ends))
