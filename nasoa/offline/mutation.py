"""Mutations of the two spaces: one step to a valid, different network.

Blocks (7.3.1): replace an operator, change a ratio, add, remove or modify a skip; and, not in the
paper, add or remove an operator, and change the first channel, without which the number of
operators and the width would stay what they were sampled as.

Macro structures (7.3.2): add a '1', remove a '1', swap two different adjacent numbers (across the
border of two stages too), change the first channel. These leave the product of the numbers, and
the numbers themselves, as they are; so the space would fall into parts that no mutation joins.
Hence three more: change one number (and with it the last channel), hand a doubling from one number
to another, and change the cell; and moving a '1' to another stage joins networks of the fewest and
the most blocks.

A kind of mutation is drawn first, then one of its results. So each kind is as likely as another,
however many results it has.
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
    """What mutations ask of a search space.

    `valid` gives the canonical form of a member, and None for what is not in the space.
    """

    @property
    def first_channels(self) -> tuple[int, ...]:
        """What the stem may hand over."""

    @property
    def cells(self) -> tuple[BlockSpec, ...]:
        """Blocks to choose from; empty where the block itself is searched."""

    @property
    def mutations(self) -> Mapping[str, Moves]:
        """The kinds of mutation: each gives results that need not be valid."""

    def valid(self, spec: ArchSpec) -> ArchSpec | None:
        """The canonical form of a member, else None."""


Moves = Callable[[Space, ArchSpec], Iterator[ArchSpec]]


def mutate(space: Space, spec: ArchSpec, rng: np.random.Generator) -> ArchSpec:
    """One step in a space.

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
    raise InvalidInput(f"expected a space with more networks than one, but {spec} has no neighbour")


def _replace_operator(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for place, operator in enumerate(spec.block.operators):
        for kind in range(len(OPERATOR_NAMES)):
            yield _with_operator(spec, place, replace(operator, kind=kind))


def _change_ratio(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    for place, operator in enumerate(spec.block.operators[:-1]):
        for ratio in range(len(RATIOS)):
            yield _with_operator(spec, place, replace(operator, ratio=ratio))


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
    """One more operator at the end, or one in front; skips keep their places."""
    operators = spec.block.operators
    last = operators[-1]
    for kind in range(len(OPERATOR_NAMES)):
        for ratio in range(len(RATIOS)):
            yield _with_block(spec, (*operators[:-1], replace(last, ratio=ratio), Operator(kind)))
            yield _with_block(spec, (Operator(kind, ratio), *operators))


def _remove_operator(_space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    """One operator less; skips to or from places that are gone go too."""
    operators = spec.block.operators
    for at in range(len(operators)):
        left = (*operators[:at], *operators[at + 1 :])
        if left:
            skips = tuple(skip for skip in spec.block.skips if skip.target <= len(left))
            yield _with_block(spec, (*left[:-1], replace(left[-1], ratio=None)), skips)


def _change_first_channel(space: Space, spec: ArchSpec) -> Iterator[ArchSpec]:
    """Another first channel; the last one follows where that is allowed."""
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


def _with_operator(spec: ArchSpec, place: int, operator: Operator) -> ArchSpec:
    operators = spec.block.operators
    return _with_block(spec, (*operators[:place], operator, *operators[place + 1 :]))


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
    """Numbers in stages of the same lengths as those of `like`."""
    ends = np.cumsum([0, *map(len, like)])
    return tuple(tuple(numbers[a:b]) for a, b in pairwise(ends))
