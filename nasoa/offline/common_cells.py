"""The cells that the best networks of a block search share (MOSTCOMMON of Algorithm 2)."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.arch import parse
from nasoa.offline.front import ranked
from nasoa.records import Evaluation


def most_common_cells(
    evaluations: Sequence[Evaluation], count: int, epsilon: Sequence[float] = (0.0, 0.0)
) -> list[str]:
    """The M cells for the macro search (MOSTCOMMON of Algorithm 2): block texts.

    A block search has each network once, so a cell is as common as any other, whatever first
    channels it has been tried with: it counts once, by the best of its networks. So these are the
    cells of the front, those first that crowding leaves most alone; where the front has fewer than
    asked for, the next fronts give the rest.

    Args:
        evaluations: of a block search.
        count: M.
        epsilon: see `nasoa.offline.front.ranked`.
    """
    cells = (str(parse(evaluation.encoding).block) for evaluation in ranked(evaluations, epsilon))
    return list(dict.fromkeys(cells))[:count]
