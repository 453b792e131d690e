"""The best evaluations of a search: its front, and the first N by crowding distance.

NSGASORT of Algorithm 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.offline.pareto import boxes, non_dominated_rank, survive
from nasoa.records import Evaluation

Array = NDArray[np.float64]

WORST_ERROR = 1.0


def score(evaluation: Evaluation) -> float | None:
    """Return what the search maximised, in most searches the accuracy; None if it failed."""
    return evaluation.accuracy if evaluation.score is None else evaluation.score


def objectives(evaluation: Evaluation) -> tuple[float, float]:
    """Return step time in ms and error, both to be minimised; NaN if the evaluation failed.

    The error is one minus the search's score.
    """
    found = score(evaluation)
    return evaluation.costs.step_time_ms, np.nan if found is None else WORST_ERROR - found


def successful(evaluations: Sequence[Evaluation]) -> tuple[list[Evaluation], Array]:
    """Return the evaluations that did not fail, and their `(n, 2)` objectives."""
    good = [evaluation for evaluation in evaluations if evaluation.accuracy is not None]
    return good, np.array([objectives(e) for e in good]).reshape(len(good), 2)


def front(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the evaluations that no other dominates, sorted by step time."""
    good, points = successful(evaluations)
    best = [good[i] for i in np.flatnonzero(non_dominated_rank(points) == 0)]
    return sorted(best, key=objectives)


def best(
    evaluations: Sequence[Evaluation], count: int, epsilon: Sequence[float] = (0.0, 0.0)
) -> list[Evaluation]:
    """Return the `count` best by rank and crowding (NSGASORT of Algorithm 2), by step time.

    Raises:
        InvalidInput: `count` is below 1, or nothing was evaluated.
    """
    if count < 1:
        raise InvalidInput(f"expected to choose at least 1 architecture, got {count}")
    if not successful(evaluations)[0]:
        raise InvalidInput("expected a search with evaluated architectures, but none was evaluated")
    return sorted(ranked(evaluations, epsilon)[:count], key=objectives)


def ranked(
    evaluations: Sequence[Evaluation], epsilon: Sequence[float] = (0.0, 0.0)
) -> list[Evaluation]:
    """Return the evaluations that did not fail, best first by rank and crowding distance.

    Args:
        evaluations: evaluations of one search.
        epsilon: the sensitive factor of Algorithm 2, for step time in ms and accuracy: ranks are by
            epsilon-dominance (`nasoa.offline.pareto.boxes`).
    """
    good, _points = successful(evaluations)
    good.sort(key=objectives)
    points = np.array([objectives(e) for e in good]).reshape(len(good), 2)
    return [good[i] for i in survive(boxes(points, epsilon), len(good))]
