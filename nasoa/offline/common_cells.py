"""The cells that the best networks of a block search share (MOSTCOMMON of Algorithm 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nasoa.arch import parse
from nasoa.offline.front import best, front, successful
from nasoa.offline.pareto import survive
from nasoa.records import Evaluation


def most_common_cells(evaluations: Sequence[Evaluation], count: int) -> list[str]:
    """The M cells for the macro search (MOSTCOMMON of Algorithm 2): block texts.

    A cell is on the front once for each first channel it has there. Those that are there most
    often come first, then those that are there once by crowding distance; where the front has
    fewer cells than asked for, the next fronts give the rest.
    """
    ranked = best(evaluations, len(evaluations))
    good, points = successful(ranked)
    order = [good[i] for i in survive(points, len(good))]
    on_front = {evaluation.encoding for evaluation in front(evaluations)}
    times = Counter(_cell(e) for e in order if e.encoding in on_front)
    cells = list(dict.fromkeys(_cell(e) for e in order))
    return sorted(cells, key=lambda cell: -times[cell])[:count]


def _cell(evaluation: Evaluation) -> str:
    return str(parse(evaluation.encoding).block)
