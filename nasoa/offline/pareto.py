"""Non-dominated sorting (section 3.1, appendix 7.2.1): Pareto ranks and survival.

All objectives are minimised. Ranks come from moocore (López-Ibáñez et al.).
"""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.offline.crowding_distance import crowding_distance
from nasoa.offline.finite_points import checked

__all__ = ["boxes", "crowding_distance", "hypervolume", "non_dominated_rank", "survive"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def non_dominated_rank(objectives: ArrayLike) -> Indices:
    """Rank `(n, m)` objectives: `(n,)` ranks, where 0 is the Pareto front.

    Equal points have equal ranks.

    Raises:
        InvalidInput: the objectives are not two-dimensional or not finite.
    """
    points = checked(objectives)
    if len(points) == 0:
        return np.zeros(0, dtype=np.intp)
    if points.shape[1] == 1:
        return np.unique(points[:, 0], return_inverse=True)[1].astype(np.intp)
    ranks: Indices = np.asarray(moocore.pareto_rank(points), dtype=np.intp)
    return ranks


def survive(objectives: ArrayLike, k: int) -> Indices:
    """Return `(k,)` indices of the best of `n` points by rank, then crowding distance, best first.

    Whole fronts survive until one does not fit; of that one, the least crowded points survive. All
    `n` survive if there are no more than `k`.

    Raises:
        InvalidInput: the objectives are not two-dimensional or not finite, or `k` is negative.
    """
    points = checked(objectives)
    if k < 0:
        raise InvalidInput(f"expected k to be 0 or more, got {k}")
    ranks = non_dominated_rank(points)
    order = np.argsort(ranks, kind="stable")
    ends = np.cumsum(np.bincount(ranks)) if len(points) else np.zeros(0, dtype=np.intp)
    chosen: list[Indices] = []
    start = 0
    for end in ends:
        if start >= k:
            break
        front = order[start:end]
        least_crowded = np.argsort(-crowding_distance(points[front]), kind="stable")
        chosen.append(front[least_crowded][: k - start])
        start = int(end)
    return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.intp)


def boxes(objectives: ArrayLike, epsilon: ArrayLike) -> Array:
    """Replace `(n, m)` objectives by the number of their box of side `epsilon`, `(m,)` or a scalar.

    Ranks of boxes are by epsilon-dominance (Laumanns et al. 2002). Objectives of side 0 are
    unchanged.
    """
    points = checked(objectives)
    side = np.broadcast_to(np.asarray(epsilon, dtype=np.float64), points.shape[1:])
    return np.where(side > 0, np.floor(points / np.where(side > 0, side, 1.0)), points)


def hypervolume(objectives: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume that `(n, m)` points dominate up to the `(m,)` reference point."""
    points = checked(objectives)
    if len(points) == 0:
        return 0.0
    return float(moocore.hypervolume(points, ref=np.asarray(reference, dtype=np.float64)))
