"""Whether small models on a front have simple blocks, and large ones complex blocks (7.4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from nasoa.arch import ArchSpec, parse
from nasoa.errors import InvalidInput
from nasoa.offline.analysis import SIGNIFICANT_P
from nasoa.offline.front import front
from nasoa.records import Evaluation

PERMUTATIONS = 2000
FEWEST_MEMBERS = 4


@dataclass(frozen=True, kw_only=True)
class BlockTrend:
    """A test of "smaller models should use simpler blocks while bigger models prefer complex".

    Args:
        n: number of architectures on the front.
        spearman: rank correlation of size and complexity of the block over the front.
        p_value: probability of a correlation at least as high if they were unrelated.
        small: mean complexity of the smaller half of the front.
        large: mean complexity of the larger half.
    """

    n: int
    spearman: float
    p_value: float
    small: float
    large: float

    @property
    def is_confirmed(self) -> bool:
        """Whether larger models have more complex blocks, with p < 0.05."""
        return self.spearman > 0 and self.p_value < SIGNIFICANT_P


def block_complexity(spec: ArchSpec) -> int:
    """Return the number of operators and skips of a block, besides the fixed residual."""
    return len(spec.block.operators) + len(spec.block.skips)


def block_trend(evaluations: Sequence[Evaluation]) -> BlockTrend:
    """Test on the front whether small models have simple blocks and large ones complex blocks.

    The size of a model is its step time. The p-value is one-sided, from random permutations.

    Args:
        evaluations: evaluations of one block search.

    Raises:
        InvalidInput: the front has fewer than four architectures, or all their blocks are equally
            complex.
    """
    members = front(evaluations)
    complexity = np.array([block_complexity(parse(e.encoding)) for e in members])
    if len(members) < FEWEST_MEMBERS or complexity.std() == 0:
        found = f"{len(members)}" + (" equal ones" if len(members) >= FEWEST_MEMBERS else "")
        raise InvalidInput(
            f"expected a front of at least {FEWEST_MEMBERS} architectures whose blocks differ in "
            f"their numbers of operators and skips, got {found}; evaluate more with nasoa search "
            "run --max-evaluations"
        )
    ranks, sizes = rankdata(complexity), np.arange(len(members), dtype=np.float64)
    spearman = float(np.corrcoef(sizes, ranks)[0, 1])
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
    others = [float(np.corrcoef(sizes, row)[0, 1]) for row in shuffled]
    at_least = sum(other >= spearman - 1e-12 for other in others)
    half = len(members) // 2
    return BlockTrend(
        n=len(members),
        spearman=spearman,
        p_value=(1 + at_least) / (1 + PERMUTATIONS),
        small=float(complexity[:half].mean()),
        large=float(complexity[len(members) - half :].mean()),
    )
