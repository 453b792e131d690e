"""The crowding distance of NSGA-II (Algorithm 1, line 6).

It is that of Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.offline.finite_points import checked

Array = NDArray[np.float64]


def crowding_distance(objectives: ArrayLike) -> Array:
    """Compute `(n,)` crowding distances of `(n, m)` objectives of one front.

    For each objective, the distance is the gap between a point's two neighbours divided by the
    range of the front; these are summed over the objectives. Extremes have infinite distance.

    Raises:
        InvalidInput: the objectives are not two-dimensional or not finite.
    """
    points = checked(objectives)
    n, m = points.shape
    if n <= 2:
        return np.full(n, np.inf)
    order = np.argsort(points, axis=0, kind="stable")
    ordered = np.take_along_axis(points, order, axis=0)
    spread = ordered[-1] - ordered[0]
    gaps = np.full((n, m), np.inf)
    gaps[1:-1] = (ordered[2:] - ordered[:-2]) / np.where(spread > 0, spread, 1.0)
    gaps[:, spread == 0] = 0.0  # an objective with equal values does not separate points
    distances = np.empty((n, m))
    np.put_along_axis(distances, order, gaps, axis=0)
    total: Array = distances.sum(axis=1)
    return total
