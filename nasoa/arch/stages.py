"""Split any classifier into a `StagedNetwork` of stem, four stages and head by its structure.

Convolutional networks halve the side of their feature maps a few times. The last four reductions
give the four stages: stages 2 to 4 begin with one each. Stage 1 begins with the first of the four,
or after it if it still belongs to the stem, as a plain layer or the network's first reduction does.
Networks of one size throughout, like ViT, and those with fewer reductions are divided after the
stem into four runs of blocks with about equally many weights. All that precedes the last linear
layer belongs to stage 4, so that the head is that layer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import cast

from torch import fx, nn

from nasoa.arch.network import PooledLinear, StagedNetwork
from nasoa.arch.segments import Chain, Segment, Tracing
from nasoa.arch.spec import NUM_STAGES
from nasoa.errors import BackboneError

REDUCTION = 0.7  # ratio of sides; convolutions without padding remove a few pixels too
TWO_REDUCTIONS = 0.4
LARGEST_SHARE = 1 / NUM_STAGES  # fraction of all weights in one module that is not opened


def find_stages(model: nn.Module, resolution: int) -> StagedNetwork:
    """Split a classifier into stages that share its submodules.

    Args:
        model: `(b, 3, r, r)` -> `(b, num_classes)`, ending in a linear layer.
        resolution: r at which the structure is analysed, in pixels.

    Raises:
        BackboneError: the model cannot be traced, does not accept that resolution, does not end in
            a linear layer, or does not have four stages.
    """
    tracing = Tracing(model, resolution)
    chain = _opened(tracing, _spanning_modules)
    if len(chain.segments[-1].shape) != 2:
        raise BackboneError(
            "expected one vector per image to enter the last layer, but its input has the shape "
            f"{chain.segments[-1].shape}"
        )
    begins = _by_reductions(tracing, chain)
    if begins is None:
        chain = _opened(tracing, _large_modules)
        begins = _by_weights(chain)
    linear = cast(nn.Linear, model.get_submodule(chain.linear))
    parts: list[nn.Module] = []
    source = chain.images
    for begin, end in pairwise([0, *begins, len(chain.segments)]):
        nodes = [node for segment in chain.segments[begin:end] for node in segment.nodes]
        parts.append(_part(model, source, nodes))
        source = nodes[-1]
    # The head pools feature maps, and a vector is a map of one pixel.
    parts[-1] = nn.Sequential(parts[-1], nn.Unflatten(1, (linear.in_features, 1, 1)))
    head = PooledLinear(linear.in_features, linear.out_features)
    head.fc = linear
    return StagedNetwork(parts[0], parts[1:], head)


def _opened(tracing: Tracing, wanted: Callable[[Tracing], set[str]]) -> Chain:
    """Open modules until none is left that should be opened, and return the chain."""
    while names := wanted(tracing):
        tracing.open(names)
    return tracing.chain()


def _spanning_modules(tracing: Tracing) -> set[str]:
    """Return the modules in which the maps shrink more than once."""
    segments = tracing.chain().segments
    return {
        name
        for segment, before in zip(segments, _sides(tracing, segments), strict=False)
        if segment.side is not None and 1 < segment.side < TWO_REDUCTIONS * before
        for name in segment.modules
        if tracing.can_open(name)
    }


def _large_modules(tracing: Tracing) -> set[str]:
    """Return the modules that hold more weights than one stage should."""
    segments = tracing.chain().segments
    limit = LARGEST_SHARE * sum(segment.num_weights for segment in segments)
    names = [name for segment in segments for name in segment.modules]
    return {n for n in names if tracing.can_open(n) and tracing.num_weights(n) > limit}


def _by_reductions(tracing: Tracing, chain: Chain) -> list[int] | None:
    """Return the first segment of each stage, or None if the maps shrink too rarely."""
    segments = chain.segments
    reductions = [
        i
        for i, before in enumerate(_sides(tracing, segments)[:-1])
        # The global pooling layer gives a side of 1.
        if 1 < (segments[i].side or 0) < REDUCTION * before
    ]
    if len(reductions) < NUM_STAGES:
        return None
    first, *later = reductions[-NUM_STAGES:]
    is_stem = first == reductions[0] or not any(map(tracing.can_open, segments[first].modules))
    begin = first + 1 if is_stem else first
    # The stem's normalisation layer belongs to the stem.
    while is_stem and begin < later[0] and not segments[begin].num_weights:
        begin += 1
    return [begin, *later] if 0 < begin < later[0] else None


def _by_weights(chain: Chain) -> list[int]:
    """Return the first segment of each stage, dividing the network by its weights."""
    weighted = [i for i, segment in enumerate(chain.segments) if segment.num_weights][1:]
    if len(weighted) < NUM_STAGES:
        raise BackboneError(
            f"expected at least {NUM_STAGES} blocks after the stem, each fed by the one before "
            f"alone, to divide into stages, got {len(weighted)}"
        )
    sums = list(accumulate(chain.segments[i].num_weights for i in weighted))
    begins = [weighted[0]]
    taken = 0
    for stage in range(1, NUM_STAGES):
        left = range(taken + 1, len(weighted) - NUM_STAGES + stage + 1)
        share = sums[-1] * stage / NUM_STAGES
        taken = min(left, key=lambda i: abs(sums[i - 1] - share))
        begins.append(weighted[taken])
    return begins


def _sides(tracing: Tracing, segments: Sequence[Segment]) -> list[int]:
    """Return the side of the maps before each segment and after the last.

    Where a segment has no side, it is that of the segment before.
    """
    sides = [tracing.resolution]
    for segment in segments:
        sides.append(segment.side or sides[-1])
    return sides


def _part(model: nn.Module, source: fx.Node, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """Return a module of these nodes, from the output of `source` to that of the last node."""
    graph = fx.Graph()
    copies = {source: graph.placeholder("features")}

    def copied(node: fx.Node) -> fx.Node:
        # Parameters of the model itself precede the nodes that use them.
        if node not in copies:
            copies[node] = graph.node_copy(node)
        return copies[node]

    for node in nodes:
        copies[node] = graph.node_copy(node, copied)
    graph.output(copies[nodes[-1]])
    return fx.GraphModule(model, graph, class_name="Part")
