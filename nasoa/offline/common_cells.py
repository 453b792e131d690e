"""The most common cells among the best networks of a block search (MOSTCOMMON of Algorithm 2)."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.arch import parse
from nasoa.offline.front import ranked
from nasoa.records import Evaluation


def most_common_cells(
    evaluations: Sequence[Evaluation], count: int, epsilon: Sequence[float] = (0.0, 0.0)
) -> list[str]:
    """Return the M cells for the macro search (MOSTCOMMON of Algorithm 2) as block texts.

    A block search has each network once, so how often a cell occurs only depends on the number of
    first channels it was tried with. Therefore each cell counts once, by the best of its networks.
    The result is the cells of the front, the least crowded first; if the front has fewer than
    `count`, the next fronts give the rest.

    Args:
        evaluations: evaluations of a block search.
        count: M.
        epsilon: see `nasoa.offline.front.ranked`.
    """
    cells = (str(parse(evaluation.encoding).block) for evaluation in ranked(evaluations, epsilon))
    return list(dict.fromkeys(cells))[:count]
