"""A landmark: the accuracy of a simple classifier on a task, measured before any training.

Landmarking was introduced by Pfahringer et al. 2000, "Meta-learning by landmarking various learning
algorithms". Here the classifier is a ridge regression on features of the reference network. The
domain similarity needs these anyway, so the landmark costs only a decomposition of a small matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

PENALTIES = (0.01, 0.1, 1.0)
LEAST_LEFT = 1e-9


def landmark_accuracy(features: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the leave-one-out accuracy of a ridge classifier, in [0, 1].

    The prediction for an image without it in the fit follows from the prediction with it (Allen
    1974, the PRESS statistic): `(y_i^ - h_ii y_i) / (1 - h_ii)`. Each of `PENALTIES` is multiplied
    by the mean eigenvalue of the features' covariance; the highest accuracy is returned.

    Args:
        features: `(n, d)` features of images.
        labels: `(n,)` integers.

    Returns:
        The accuracy, or None if fewer than two classes have at least two images.

    Raises:
        InvalidInput: shapes do not match.
    """
    rows = np.asarray(features, dtype=np.float64)
    classes = np.asarray(labels)
    if rows.ndim != 2 or classes.shape != (len(rows),):
        raise InvalidInput(
            f"Expected features (n, d) and labels (n,) but they had shapes {rows.shape} and "
            f"{classes.shape}"
        )
    names, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if (counts >= 2).sum() < 2:
        return None
    centred = rows - rows.mean(axis=0)
    spread = centred.std(axis=0)
    standardised = centred / np.where(spread > 0.0, spread, 1.0)
    left, squares = _directions(standardised)
    targets = np.eye(len(names))[codes]
    turned = left.T @ (targets - targets.mean(axis=0))
    best, mean_square = 0.0, squares.sum() / min(rows.shape)
    for penalty in PENALTIES:
        shrunk = squares / (squares + penalty * max(mean_square, LEAST_LEFT))
        fitted = targets.mean(axis=0) + (left * shrunk) @ turned
        # Leverage of each image: that of the regression plus that of the mean.
        own = (left**2) @ shrunk + 1.0 / len(rows)
        without = (fitted - own[:, None] * targets) / np.maximum(1.0 - own, LEAST_LEFT)[:, None]
        best = max(best, float((without.argmax(axis=1) == codes).mean()))
    return best


def _directions(rows: Array) -> tuple[Array, Array]:
    """Return the left singular vectors `(n, k)` of `(n, d)` rows and the squared singular values.

    Uses the eigenvectors of the smaller of the two Gram matrices, which takes a fraction of the
    time of an SVD. Directions without variance are dropped.
    """
    count, width = rows.shape
    squares, vectors = np.linalg.eigh(rows @ rows.T if count <= width else rows.T @ rows)
    kept = squares > LEAST_LEFT * max(squares[-1], LEAST_LEFT)
    squares, vectors = squares[kept], vectors[:, kept]
    return (vectors if count <= width else rows @ vectors / np.sqrt(squares)), squares
