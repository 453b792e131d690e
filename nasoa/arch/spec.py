"""The content of an encoding: operators, skips, and how blocks are stacked (appendix 7.1).

A block with n operators has the nodes 0..n. Node 0 is its input; operator i reads node i-1 and
writes node i. The residual from node 0 to node n is always present and is not part of the text.
"""

from __future__ import annotations

from dataclasses import dataclass

NUM_STAGES = 4
OPERATOR_NAMES = (
    "conv3x3",
    "conv1x1",
    "conv3x3, groups=2",
    "conv3x3, groups=4",
    "conv3x3, groups=c",
)
RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)
MAX_OPERATORS = 3
MAX_SKIPS = 3

CONV1X1 = 1


@dataclass(frozen=True)
class Operator:
    """One convolution of a block (Table 8).

    `kind` is an index into `OPERATOR_NAMES`; `ratio` an index into `RATIOS`, or None for the last
    operator, which has the block's width.
    """

    kind: int
    ratio: int | None = None

    @property
    def kernel_size(self) -> int:
        """Side of the kernel in pixels."""
        return 1 if self.kind == CONV1X1 else 3

    def out_channels(self, width: int) -> int:
        """Return the output channels in a block of `width` channels: `width x 2^ratio / 4`."""
        return width if self.ratio is None else width * 2**self.ratio // 4

    def groups(self, in_channels: int) -> int:
        """Return the groups of the convolution; operator 4 has one for each input channel."""
        return (1, 1, 2, 4, in_channels)[self.kind]

    def __str__(self) -> str:
        return f"{self.kind}{'' if self.ratio is None else self.ratio}"


@dataclass(frozen=True)
class Skip:
    """A connection from an earlier node to a later one; `kind` is 'a' (add) or 'c' (concat)."""

    kind: str
    source: int
    target: int

    def __str__(self) -> str:
        return f"{self.kind}{self.source}{self.target}"


@dataclass(frozen=True)
class BlockSpec:
    """The block part of an encoding: 1 to 3 operators and up to 3 skips, in text order."""

    operators: tuple[Operator, ...]
    skips: tuple[Skip, ...] = ()

    @property
    def strided_operator(self) -> int:
        """Index of the operator that takes the stride (7.1.2).

        This is the first operator that is not conv1x1, or the last one if all are.
        """
        kinds = [operator.kind != CONV1X1 for operator in self.operators]
        return kinds.index(True) if any(kinds) else len(kinds) - 1

    def __str__(self) -> str:
        return "".join(map(str, self.operators)) + "-" + "".join(map(str, self.skips))


@dataclass(frozen=True)
class ArchSpec:
    """A whole network: the block, the stem's channels, and four stages of width multipliers."""

    block: BlockSpec
    first_channel: int
    stages: tuple[tuple[int, ...], ...]

    @property
    def macro(self) -> str:
        """The macro part of the encoding."""
        return "-".join("".join(map(str, stage)) for stage in self.stages)

    @property
    def num_blocks(self) -> int:
        """Number of blocks in all stages."""
        return sum(map(len, self.stages))

    @property
    def widths(self) -> tuple[tuple[int, ...], ...]:
        """Output channels of every block, stage by stage."""
        channels, widths = self.first_channel, []
        for stage in self.stages:
            row = []
            for multiplier in stage:
                channels *= multiplier
                row.append(channels)
            widths.append(tuple(row))
        return tuple(widths)

    def __str__(self) -> str:
        return f"{self.block} {self.first_channel} {self.macro}"
