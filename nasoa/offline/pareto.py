"""Non-dominated sorting (section 3.1, appendix 7.2.1): Pareto ranks and survival.

All objectives are minimised. Ranks come from moocore (López-Ibáñez et al.).
"""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.offline.crowding_distance import (
    crowding_distance,
    crowding_in_fronts,
    sorted_in_fronts,
)
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
    ranks = _short(non_dominated_rank(points))
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    if 0 < k < len(points):  # only fronts that survive at least in part matter
        ordered = ordered[: np.searchsorted(ordered, ordered[k - 1], side="right")]
    candidates = order[: len(ordered)]
    crowding = crowding_in_fronts(points[candidates], ordered)
    survivors: Indices = candidates[sorted_in_fronts(-crowding, ordered)[:k]]
    return survivors


def _short(ranks: Indices) -> NDArray[np.integer]:
    """Return ranks in 16 bits, which NumPy sorts in linear time, if there are few enough."""
    is_short = ranks.max(initial=0) <= np.iinfo(np.int16).max
    return ranks.astype(np.int16) if is_short else ranks


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
