"""A synthetic table of macro structures: the search's own space and mutations, made-up objectives.

Step times follow from widths, stages and cells as those of real networks do; accuracies from depth
and width with diminishing returns, from the cell, from interactions of stages, and noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, product

import numpy as np

from benchmarks.nsga2_quality import Array, scaled
from nasoa.arch import ArchSpec, parse_block
from nasoa.arch.spec import NUM_STAGES
from nasoa.offline.mutation import MULTIPLIERS
from nasoa.offline.space import MacroSpace

# As large as the other synthetic tables: 6,000 networks for each cell.
SPACE = MacroSpace(
    cells=(parse_block("020-"), parse_block("2-")),
    blocks=(NUM_STAGES, 6),
    first_channels=(16, 32, 64),
    last_channels=(128, 256, 512),
)
OVERHEAD = 0.3  # of a step: what does not depend on the widths, as a fraction of the mean
# Channels from which a block's step time grows with the square of its width, as its
# multiply-accumulates do; below, with its width, as its activations do.
WIDE = 128


class MacroStructures:
    """Synthetic accuracies and step times of every network of a small macro space.

    Args:
        seed: seed of what cells, stages and their combinations are worth.
        interaction: size of the effects of combinations.
        noise: standard deviation of the noise, as a fraction of that of the accuracies.
        space: the space; its fewest blocks are one for each stage.
    """

    def __init__(
        self, seed: int, *, interaction: float, noise: float, space: MacroSpace = SPACE
    ) -> None:
        self._space = space
        self.candidates = members(space)
        self.index = {candidate: i for i, candidate in enumerate(self.candidates)}
        rng = np.random.default_rng(seed)
        accuracy = self._accuracies(rng, interaction)
        accuracy += rng.normal(0.0, noise * accuracy.std(), len(accuracy))
        self.objectives = scaled(np.stack([-accuracy, self._steps(rng)], axis=1))

    def sample(self, rng: np.random.Generator) -> ArchSpec:
        """Return a random network of the space."""
        return self._space.sample(rng)

    def mutate(self, candidate: ArchSpec, rng: np.random.Generator) -> ArchSpec:
        """Return a network that one of the search's mutations leads to."""
        return self._space.mutate(candidate, rng)

    @property
    def upper(self) -> list[int]:
        """Largest value of each gene of `decode`."""
        most = self._space.blocks[1]
        doublings = max(doublings for _, doublings in self._space.growths)
        return [
            len(self._space.cells) - 1,
            len(self._space.growths) - 1,
            *[NUM_STAGES] * (most - NUM_STAGES),
            *[most - 1] * doublings,
        ]

    def decode(self, genes: Sequence[int]) -> ArchSpec | None:
        """Return the network of genes, or None if it is not in the space.

        They are the cell, the first and last channels, the stage of each further block (0 for
        none), and the positions of the doublings, of which the first ones are used; a position
        beyond the blocks is wrapped around.
        """
        further = self._space.blocks[1] - NUM_STAGES
        cell, (first, doublings) = self._space.cells[genes[0]], self._space.growths[genes[1]]
        depths = [1 + genes[2 : 2 + further].count(stage) for stage in range(1, NUM_STAGES + 1)]
        numbers = [1] * sum(depths)
        for position in genes[2 + further :][:doublings]:
            numbers[position % len(numbers)] *= 2
        return self._space.valid(ArchSpec(cell, first, _divided(numbers, depths)))

    def _accuracies(self, rng: np.random.Generator, interaction: float) -> Array:
        cells = self._space.cells
        of_cell = rng.normal(0.0, 0.5, len(cells))
        gains = rng.uniform(0.3, 1.5, (NUM_STAGES, 2))  # of depth and of width of each stage
        most = self._space.blocks[1]
        effects = rng.normal(0.0, interaction, (len(cells), NUM_STAGES, most + 1))
        found = []
        for spec in self.candidates:
            cell = cells.index(spec.block)
            total = of_cell[cell]
            for stage, widths in enumerate(spec.widths):
                sizes = np.log2([1 + len(widths), widths[-1]])
                total += float(gains[stage] @ sizes) + effects[cell, stage, len(widths)]
            found.append(total)
        accuracy = np.array(found)
        return np.asarray(1.0 - np.exp(-(accuracy - accuracy.min()) / accuracy.std() / 2))

    def _steps(self, rng: np.random.Generator) -> Array:
        """Return step times: those of the blocks, a quarter in each further stage, and overhead."""
        cells = self._space.cells
        prices = dict(zip(cells, rng.uniform(0.3, 1.5, len(cells)).tolist(), strict=True))
        steps = np.array(
            [
                prices[spec.block]
                * sum(
                    width * (1 + width / WIDE) / 4**stage
                    for stage, row in enumerate(spec.widths)
                    for width in row
                )
                for spec in self.candidates
            ]
        )
        return np.asarray(steps + OVERHEAD * steps.mean())


@cache
def members(space: MacroSpace) -> tuple[ArchSpec, ...]:
    """Return every network of a macro space once."""
    return tuple(_members(space))


def _members(space: MacroSpace) -> Iterator[ArchSpec]:
    fewest, most = space.blocks
    for count in range(fewest, most + 1):
        divisions = [
            [end - start for start, end in zip((0, *ends), (*ends, count), strict=True)]
            for ends in combinations(range(1, count), NUM_STAGES - 1)
        ]
        for first, doublings in space.growths:
            wanted = 1 << doublings
            rows = [row for row in product(MULTIPLIERS, repeat=count) if math.prod(row) == wanted]
            for cell, row, depths in product(space.cells, rows, divisions):
                spec = space.valid(ArchSpec(cell, first, _divided(row, depths)))
                if spec is not None:
                    yield spec


def _divided(numbers: Sequence[int], depths: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return numbers as the stages of these depths."""
    ends = np.cumsum(depths).tolist()
    starts = (0, *ends[:-1])
    return tuple(tuple(numbers[start:end]) for start, end in zip(starts, ends, strict=True))
