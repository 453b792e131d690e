"""The crowding distance of NSGA-II (Algorithm 1, line 6).

It is that of Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.offline.finite_points import checked

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Ranks = NDArray[np.integer]


def crowding_distance(objectives: ArrayLike) -> Array:
    """Compute `(n,)` crowding distances of `(n, m)` objectives of one front.

    For each objective, the distance is the gap between a point's two neighbours divided by the
    range of the front; these are summed over the objectives. Extremes have infinite distance.

    Raises:
        InvalidInput: the objectives are not two-dimensional or not finite.
    """
    points = checked(objectives)
    return crowding_in_fronts(points, np.zeros(len(points), dtype=np.int16))


def crowding_in_fronts(points: Array, ranks: Ranks) -> Array:
    """Compute `(n,)` crowding distances of points, each in its own front.

    All fronts are computed at once, because many of them are small.

    Args:
        points: `(n, m)` finite objectives, sorted by rank.
        ranks: `(n,)` ranks, ascending from 0 without gaps; points of equal rank are a front.
    """
    sizes = np.bincount(ranks)
    last = np.cumsum(sizes) - 1
    first = last + 1 - sizes
    is_small = sizes <= 2
    distances = np.zeros(len(points))
    for values in points.T:
        order = sorted_in_fronts(values, ranks)
        ordered = values[order]
        spread = ordered[last] - ordered[first]
        separates = spread > 0  # an objective with equal values does not separate points
        gaps = np.zeros(len(points))
        gaps[1:-1] = ordered[2:] - ordered[:-2]
        gaps[first] = gaps[last] = np.where(separates | is_small, np.inf, 0.0)
        distances[order] += gaps / np.where(separates, spread, 1.0)[ranks]
    return distances


def sorted_in_fronts(values: Array, ranks: Ranks) -> Indices:
    """Return the `(n,)` indices that sort points by rank, then by value; ties keep their order.

    Args:
        values: `(n,)` values.
        ranks: `(n,)` ranks; NumPy sorts integers of 16 bits in linear time.
    """
    by_value = np.argsort(values, kind="stable")
    return by_value[np.argsort(ranks[by_value], kind="stable")]
