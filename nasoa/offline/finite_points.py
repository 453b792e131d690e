"""The check of what is ranked: points with finite objectives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]


def checked(objectives: ArrayLike) -> Array:
    """Return the objectives as a float array.

    Raises:
        InvalidInput: the objectives are not two-dimensional or not finite.
    """
    points = np.asarray(objectives, dtype=np.float64)
    if points.ndim != 2 or (len(points) and points.shape[1] == 0):
        raise InvalidInput(f"expected objectives of shape (n, m), got shape {points.shape}")
    if not np.isfinite(points).all():
        row = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise InvalidInput(
            f"expected finite objectives, but row {row} was {points[row].tolist()}; "
            "omit candidates that failed"
        )
    return points
