"""The search spaces of section 3.1: blocks, and how blocks are stacked.

A candidate of either space is a whole network, an `ArchSpec` in its canonical form, so that the
same evaluation and the same records serve both. `BlockSpace` varies the block (and the output
channels of the stem) in a fixed macro structure; `MacroSpace` stacks given blocks, the cells.

`benchmarks/space_counts.py` counts the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np

from nasoa.arch import ArchSpec, parse, parse_block
from nasoa.arch.encoding import MAX_BLOCKS, check
from nasoa.arch.spec import (
    MAX_OPERATORS,
    MAX_SKIPS,
    NUM_STAGES,
    OPERATOR_NAMES,
    RATIOS,
    BlockSpec,
    Operator,
    Skip,
)
from nasoa.config import SAMPLINGS
from nasoa.errors import EncodingError, InvalidInput
from nasoa.offline.canonical import canonical_block, canonical_skips, possible_skips
from nasoa.offline.mutation import BLOCK_MUTATIONS, MACRO_MUTATIONS, MULTIPLIERS, Moves, mutate

SAMPLING_TRIES = 10_000
RESNET50_MACRO = ((4, 1, 1), (2, 1, 1, 1), (2, 1, 1, 1, 1, 1), (2, 1, 1))
SMALL_MACRO = ((1,), (2,), (2, 1), (2,))


@dataclass(frozen=True, kw_only=True)
class BlockSpace:
    """Blocks of one to three operators in a fixed macro structure (7.3.1).

    Args:
        stages: the macro structure, a tuple of four tuples of width multipliers.
        first_channels: channels that the stem may output. The paper's block search varies them too:
            its regression (Table 11) has a term for the output channel.
        max_operators: maximum number of operators of a block.
        max_skips: maximum number of skips, besides the fixed residual.
        sampling: "uniform" over all valid blocks, as in the paper (7.3.1), nearly all of which have
            the most operators and skips; or "by_size", where each number of operators and each
            number of skips is equally likely.
    """

    stages: tuple[tuple[int, ...], ...] = RESNET50_MACRO
    first_channels: tuple[int, ...] = (64,)
    max_operators: int = MAX_OPERATORS
    max_skips: int = MAX_SKIPS
    sampling: str = "by_size"

    def __post_init__(self) -> None:
        if not 1 <= self.max_operators <= MAX_OPERATORS or not 0 <= self.max_skips <= MAX_SKIPS:
            raise InvalidInput(
                f"expected 1 to {MAX_OPERATORS} operators and 0 to {MAX_SKIPS} skips, got "
                f"{self.max_operators} and {self.max_skips}"
            )
        if not self.first_channels:
            raise InvalidInput("expected at least one first channel, got none")
        if self.sampling not in SAMPLINGS:
            known = " or ".join(SAMPLINGS)
            raise InvalidInput(f"expected sampling to be {known}, got {self.sampling!r}")
        for channels in self.first_channels:
            # "0-" is valid in every combination of stem and macro structure.
            _checked(ArchSpec(BlockSpec((Operator(0),)), channels, self.stages))

    @property
    def cells(self) -> tuple[BlockSpec, ...]:
        """Empty, because the block itself is searched."""
        return ()

    @property
    def mutations(self) -> Mapping[str, Moves]:
        """The kinds of mutation."""
        return BLOCK_MUTATIONS

    @classmethod
    def paper(cls) -> BlockSpace:
        """Return the paper's space: ResNet50's macro structure, uniformly sampled blocks (7.3.1).

        The paper does not list the first channels that it searched, but Table 11 has a term for the
        output channel, and Figure 10 names the widths of the reference blocks in the first stage:
        64, 128, 192, 256 and 320. The structure begins with a multiplier of 4, so the stem has a
        quarter of that: ResNet50, "10001- 64 411-2111-211111-211", is the bottleneck of width 256.
        """
        return cls(first_channels=(16, 32, 48, 64, 80), sampling="uniform")

    @classmethod
    def small(cls) -> BlockSpace:
        """Return a space with five blocks and a quarter of the channels: minutes on two cores."""
        return cls(stages=SMALL_MACRO, first_channels=(16, 32, 48))

    def sample(self, rng: np.random.Generator) -> ArchSpec:
        """Return a random valid network; see `sampling`."""
        for _ in range(SAMPLING_TRIES):
            spec = self.valid(self._draw(rng))
            if spec is not None:
                return spec
        raise InvalidInput(
            f"expected a space with valid blocks, but {SAMPLING_TRIES} samples at the first "
            f"channels {list(self.first_channels)} had none; choose multiples of 16"
        )

    def _draw(self, rng: np.random.Generator) -> ArchSpec:
        by_size = self.sampling == "by_size"
        count, skips = self._draw_by_size(rng) if by_size else self._draw_uniformly(rng)
        operators = tuple(
            Operator(
                int(rng.integers(len(OPERATOR_NAMES))),
                int(rng.integers(len(RATIOS))) if position < count - 1 else None,
            )
            for position in range(count)
        )
        channels = self.first_channels[int(rng.integers(len(self.first_channels)))]
        return ArchSpec(BlockSpec(operators, skips), channels, self.stages)

    def _draw_by_size(self, rng: np.random.Generator) -> tuple[int, tuple[Skip, ...]]:
        """Sample a number of operators, and skips between them."""
        count = int(rng.integers(1, self.max_operators + 1))
        kinds = possible_skips(count)
        num_skips = int(rng.integers(0, self.max_skips + 1))
        return count, tuple(kinds[int(rng.integers(len(kinds)))] for _ in range(num_skips))

    def _draw_uniformly(self, rng: np.random.Generator) -> tuple[int, tuple[Skip, ...]]:
        """Sample both in proportion to the number of blocks that have them.

        Operators are then sampled uniformly, and blocks that cannot be built are sampled again, so
        every valid network is equally likely.
        """
        counts = range(1, self.max_operators + 1)
        skips = [canonical_skips(count, self.max_skips) for count in counts]
        blocks = np.array(
            [_num_operators(n) * len(own) for n, own in zip(counts, skips, strict=True)]
        )
        count = int(rng.choice(counts, p=blocks / blocks.sum()))
        own = skips[count - 1]
        return count, own[int(rng.integers(len(own)))]

    def mutate(self, spec: ArchSpec, rng: np.random.Generator) -> ArchSpec:
        """Return a valid, different network one step from `spec` (`nasoa.offline.mutation`)."""
        return mutate(self, spec, rng)

    def unchecked(self, block: BlockSpec) -> ArchSpec:
        """Return the network of a block at the smallest first channel, even if not a member."""
        return ArchSpec(block, min(self.first_channels), self.stages)

    def valid(self, spec: ArchSpec) -> ArchSpec | None:
        """Return the canonical form of `spec` if it is a member of the space, else None."""
        block = canonical_block(spec.block)
        if (
            len(block.operators) > self.max_operators
            or len(block.skips) > self.max_skips
            or spec.first_channel not in self.first_channels
            or spec.stages != self.stages
        ):
            return None
        return _buildable(ArchSpec(block, spec.first_channel, self.stages))

    def all(self) -> Iterator[ArchSpec]:
        """Yield every member once. There are millions if three operators are allowed."""
        for count in range(1, self.max_operators + 1):
            blocks = [
                BlockSpec(operators, skips)
                for skips in canonical_skips(count, self.max_skips)
                for operators in _operators(count)
            ]
            for block, channels in product(blocks, self.first_channels):
                spec = _buildable(ArchSpec(block, channels, self.stages))
                if spec is not None:
                    yield spec


@dataclass(frozen=True, kw_only=True)
class MacroSpace:
    """Four stages of blocks of one cell, varying in depth and in where the channels grow (7.3.2).

    Args:
        cells: blocks to choose from; a network has the same cell everywhere.
        blocks: fewest and most blocks in all stages.
        first_channels: channels that the stem may output.
        last_channels: channels that the last block may have. The numbers of a macro text multiply
            the first channel to the last; each is 1, 2 or 4.
    """

    cells: tuple[BlockSpec, ...]
    blocks: tuple[int, int] = (10, 50)
    first_channels: tuple[int, ...] = (32, 64, 128)
    last_channels: tuple[int, ...] = (512, 1024, 2048)

    def __post_init__(self) -> None:
        fewest, most = self.blocks
        if not self.cells:
            raise InvalidInput("expected at least one cell, got none")
        for cell in self.cells:
            # Records may hold operators that do not exist, even such as read like several others.
            if parse_block(str(cell)) != cell:
                raise InvalidInput(f"expected cells of known operators, got {cell!r}")
        if not NUM_STAGES <= fewest <= most <= MAX_BLOCKS:
            raise InvalidInput(
                f"expected {NUM_STAGES} to {MAX_BLOCKS} blocks and a minimum up to the maximum, "
                f"got {fewest} to {most}"
            )
        if not self.growths:
            raise InvalidInput(
                f"expected a last channel that is a first channel times 2 to the 0th..."
                f"{2 * most}th, got first channels {list(self.first_channels)} and last channels "
                f"{list(self.last_channels)}"
            )

    @property
    def mutations(self) -> Mapping[str, Moves]:
        """The kinds of mutation."""
        return MACRO_MUTATIONS

    @classmethod
    def paper(cls, cells: tuple[BlockSpec, ...]) -> MacroSpace:
        """Return the paper's space: 10 to 50 blocks, 32 to 128 first, 512 to 2048 last channels."""
        return cls(cells=cells)

    @classmethod
    def small(cls, cells: tuple[BlockSpec, ...]) -> MacroSpace:
        """Return a space of 4 to 10 blocks of at most 512 channels: minutes on two cores."""
        return cls(
            cells=cells, blocks=(4, 10), first_channels=(16, 32, 64), last_channels=(128, 256, 512)
        )

    @property
    def growths(self) -> list[tuple[int, int]]:
        """First channels and the numbers of doublings that lead from each to a last channel."""
        found = []
        for first, last in product(self.first_channels, self.last_channels):
            doublings = (last // first).bit_length() - 1 if last >= first > 0 else -1
            if doublings >= 0 and first << doublings == last and doublings <= 2 * self.blocks[1]:
                found.append((first, doublings))
        return found

    def sample(self, rng: np.random.Generator) -> ArchSpec:
        """Sample a valid network: cell, blocks, channels, stages and doublings uniformly."""
        growths = self.growths
        for _ in range(SAMPLING_TRIES):
            cell = self.cells[int(rng.integers(len(self.cells)))]
            first, doublings = growths[int(rng.integers(len(growths)))]
            count = int(rng.integers(self.blocks[0], self.blocks[1] + 1))
            if doublings > 2 * count:
                continue
            numbers = _drawn_numbers(rng, count, doublings)
            ends = np.sort(rng.choice(count - 1, NUM_STAGES - 1, replace=False)) + 1
            stages = tuple(
                tuple(numbers[start:end])
                for start, end in zip([0, *ends], [*ends, count], strict=True)
            )
            spec = self.valid(ArchSpec(cell, first, stages))
            if spec is not None:
                return spec
        raise InvalidInput(
            f"expected a space with valid networks, but {SAMPLING_TRIES} samples had none: the "
            "groups of the cells do not divide the channels; choose other first channels"
        )

    def mutate(self, spec: ArchSpec, rng: np.random.Generator) -> ArchSpec:
        """Return a valid, different network one step from `spec` (`nasoa.offline.mutation`)."""
        return mutate(self, spec, rng)

    def count(self) -> int:
        """Count the networks, including those whose channels the cells' groups do not divide.

        The count is the number of divisions of n blocks into stages, times that of sequences of n
        numbers with k doublings, at most two per number, over all n and pairs of first and last
        channel.
        """
        fewest, most = self.blocks
        return len(self.cells) * sum(
            comb(n - 1, NUM_STAGES - 1)
            * sum(comb(n, twice) * comb(n - twice, k - 2 * twice) for twice in range(k // 2 + 1))
            for n in range(fewest, most + 1)
            for _, k in self.growths
        )

    def valid(self, spec: ArchSpec) -> ArchSpec | None:
        """Return `spec` if it is a member of the space, else None."""
        if (
            spec.block not in self.cells
            or not self.blocks[0] <= spec.num_blocks <= self.blocks[1]
            or not all(spec.stages)
            or spec.first_channel not in self.first_channels
            or any(number not in MULTIPLIERS for stage in spec.stages for number in stage)
            or spec.widths[-1][-1] not in self.last_channels
        ):
            return None
        return _buildable(spec)


SearchSpace = BlockSpace | MacroSpace


def _num_operators(count: int) -> int:
    """Return the number of sequences of `count` operators, including ratios."""
    return int(len(OPERATOR_NAMES) ** count * len(RATIOS) ** (count - 1))


def _operators(count: int) -> list[tuple[Operator, ...]]:
    kinds, ratios = range(len(OPERATOR_NAMES)), range(len(RATIOS))
    choices: list[list[Operator]] = [
        [Operator(kind, ratio) for kind, ratio in product(kinds, ratios)]
    ] * (count - 1)
    return list(product(*choices, [Operator(kind) for kind in kinds]))


def _drawn_numbers(rng: np.random.Generator, count: int, doublings: int) -> list[int]:
    """Sample `count` multipliers of product 2^doublings, all sets of positions equally likely."""
    stages = rng.permutation(np.repeat(np.arange(count), 2))[:doublings]
    return [1 << int(power) for power in np.bincount(stages, minlength=count)]


def _buildable(spec: ArchSpec) -> ArchSpec | None:
    try:
        check(spec)
    except EncodingError:
        return None
    return spec


def _checked(spec: ArchSpec) -> ArchSpec:
    """Return the spec; parsing its text rejects invalid stages and channels."""
    return parse(str(spec))
