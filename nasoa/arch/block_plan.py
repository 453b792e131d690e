"""The convolutions of one block at given channels, for building networks and checking encodings.

The rules were derived from the published networks and reproduce all twelve rows of Table 10. After
the BN of an operator, every skip that ends at its node is applied in the order of the text, the
fixed residual last, then ReLU; so a later skip reads a value after ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.arch.spec import BlockSpec, Skip


class GroupsError(ValueError):
    """A convolution whose groups do not divide its channels.

    Args:
        operator: index of the operator in its block.
        message: the channels and groups that do not fit.
    """

    def __init__(self, operator: int, message: str) -> None:
        self.operator = operator
        super().__init__(message)


@dataclass(frozen=True)
class ConvPlan:
    """One convolution followed by BN."""

    in_channels: int
    out_channels: int
    kernel_size: int = 1
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True)
class SkipPlan:
    """A skip that ends at a node, with the convolutions it needs, if any.

    `projection` is applied to the source. `reduction` is applied after a concatenation into the
    last node, back to the block's width. (The paper does not say how such a block keeps its width;
    since the macro text fixes it, we reduce the channels at once.)
    """

    skip: Skip
    projection: ConvPlan | None
    reduction: ConvPlan | None


@dataclass(frozen=True)
class NodePlan:
    """An operator and the skips that end at the node it writes."""

    operator: ConvPlan
    skips: tuple[SkipPlan, ...]


def plan_block(block: BlockSpec, in_channels: int, width: int, stride: int) -> list[NodePlan]:
    """Plan the nodes 1..n of a block that turns `in_channels` into `width` channels.

    Raises:
        GroupsError: the groups of an operator do not divide its channels.
    """
    last = len(block.operators)
    strided_node = block.strided_operator + 1
    skips = (*block.skips, Skip("a", 0, last))
    channels = [in_channels]
    nodes = []
    for node, operator in enumerate(block.operators, start=1):
        out = operator.out_channels(width)
        groups = operator.groups(channels[-1])
        if out == 0 or channels[-1] % groups or out % groups:
            raise GroupsError(
                node - 1,
                f"{groups} groups do not divide {channels[-1]} input and {out} output channels",
            )
        here = stride if node == strided_node else 1
        conv = ConvPlan(channels[-1], out, operator.kernel_size, here, groups)
        ending = []
        for skip in (s for s in skips if s.target == node):
            crosses = stride if skip.source < strided_node <= node else 1
            plan, out = _plan_skip(skip, channels[skip.source], out, crosses, width, node == last)
            ending.append(plan)
        channels.append(out)
        nodes.append(NodePlan(conv, tuple(ending)))
    return nodes


def _plan_skip(
    skip: Skip, source: int, out: int, stride: int, width: int, is_last: bool
) -> tuple[SkipPlan, int]:
    """Return the plan of a skip into a node of `out` channels, and the node's channels after it."""
    if skip.kind == "a":
        differs = source != out or stride != 1
        projection = ConvPlan(source, out, stride=stride) if differs else None
        return SkipPlan(skip, projection, None), out
    projection = ConvPlan(source, source, stride=stride) if stride != 1 else None
    out += source
    reduction = ConvPlan(out, width) if is_last else None
    return SkipPlan(skip, projection, reduction), width if is_last else out
