"""Similarity of a task to the pretraining source, by earth mover's distance (section 3.2.1).

Cui et al. 2018, "Large Scale Fine-Grained Categorization and Domain-Specific Transfer Learning"
(the paper's [10]): a domain is represented by its classes. Each class is a point at the mean
feature vector of its images, weighted by its fraction of the images. The distance `d` between two
domains is the minimum work of moving one onto the other over Euclidean distances, and the
similarity is `exp(-gamma d)` with gamma = 0.01.

`d` is in units of the features, so similarities are comparable only if they use features of the
same network without rescaling. The features are a network's pooled features, as in [10].
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import eye_array, kron, vstack
from scipy.spatial.distance import cdist

from nasoa.errors import InvalidInput

Array = NDArray[np.float64]

GAMMA = 0.01  # Cui et al. 2018, section 4.1
MAX_CLASSES = 500


def class_means(features: ArrayLike, labels: ArrayLike, num_classes: int) -> tuple[Array, Array]:
    """Return the mean features and the image fractions of the classes that have images.

    Args:
        features: `(n, d)` features of images.
        labels: `(n,)` integers from 0 to `num_classes - 1`.
        num_classes: number of possible classes.

    Returns:
        `(k, d)` means and `(k,)` fractions (sum 1) of the `k <= num_classes` classes with images.

    Raises:
        InvalidInput: shapes do not match, a label is out of range, or there are no images.
    """
    rows = np.asarray(features, dtype=np.float64)
    classes = np.asarray(labels)
    if rows.ndim != 2:
        raise InvalidInput(
            f"Expected features to be an array with shape (n, d) but it had shape {rows.shape}"
        )
    if classes.shape != (len(rows),):
        raise InvalidInput(
            f"Expected labels to be an array with shape ({len(rows)},) but it had shape "
            f"{classes.shape}"
        )
    counts = class_counts(classes, num_classes)
    sums = np.zeros((num_classes, rows.shape[1]))
    np.add.at(sums, classes, rows)
    present = counts > 0
    return sums[present] / counts[present, None], counts[present] / counts.sum()


def class_counts(labels: NDArray[np.integer], num_classes: int) -> NDArray[np.int64]:
    """Return the `(num_classes,)` numbers of images in each class.

    Raises:
        InvalidInput: there are no labels, or one is not an integer in range.
    """
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise InvalidInput(
            "Expected labels to be an array of integers with shape (n,), n at least 1, but it had "
            f"shape {labels.shape} and type {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise InvalidInput(
            f"Expected labels from 0 to {num_classes - 1} but they go from {labels.min()} to "
            f"{labels.max()}"
        )
    return np.bincount(labels, minlength=num_classes).astype(np.int64)


def domain_similarity(
    task_means: ArrayLike,
    task_weights: ArrayLike,
    source_means: ArrayLike,
    source_weights: ArrayLike,
) -> float:
    """Return `exp(-0.01 d)`, in (0, 1]: 1 for equal domains, and symmetric in the two domains.

    Of a domain with more than `MAX_CLASSES` classes, only those with the largest weights are used,
    which bounds the computation time.

    Args:
        task_means: `(k, d)` class means, as returned by `class_means`.
        task_weights: `(k,)` weights of at least 0; they are normalised to sum 1.
        source_means: `(m, d)` class means of the source.
        source_weights: `(m,)` weights of the source's classes.

    Raises:
        InvalidInput: shapes do not match, or weights are negative or all 0.
    """
    return math.exp(
        -GAMMA
        * earth_movers_distance(
            *_domain("task", task_means, task_weights),
            *_domain("source", source_means, source_weights),
        )
    )


def earth_movers_distance(
    means_a: Array, weights_a: Array, means_b: Array, weights_b: Array
) -> float:
    """Return the minimum work of moving one weighted point set onto another (Euclidean)."""
    if means_a.shape[1] != means_b.shape[1]:
        raise InvalidInput(
            f"Expected source_means to be an array with shape (m, {means_a.shape[1]}) but it had "
            f"shape {means_b.shape}"
        )
    k, m = len(means_a), len(means_b)
    # Mass that leaves each point of a, then mass that reaches each point of b. The last constraint
    # follows from the others.
    sums = vstack([kron(eye_array(k), np.ones((1, m))), kron(np.ones((1, k)), eye_array(m))])
    found = linprog(
        cdist(means_a, means_b).ravel(),
        A_eq=sums.tocsr()[:-1],
        b_eq=np.concatenate([weights_a, weights_b])[:-1],
        method="highs-ds",
    )
    if not found.success:
        raise InvalidInput(f"expected domains with a computable distance, but: {found.message}")
    return max(0.0, float(found.fun))


def _domain(name: str, means: ArrayLike, weights: ArrayLike) -> tuple[Array, Array]:
    points = np.asarray(means, dtype=np.float64)
    masses = np.asarray(weights, dtype=np.float64)
    if points.ndim != 2 or masses.shape != (len(points),):
        raise InvalidInput(
            f"Expected {name}_means with shape (k, d) and {name}_weights with shape (k,) but they "
            f"had shapes {points.shape} and {masses.shape}"
        )
    if not np.isfinite(points).all() or not np.isfinite(masses).all():
        raise InvalidInput(f"Expected the {name}'s means and weights to be finite")
    if (masses < 0).any() or not masses.sum() > 0:
        raise InvalidInput(f"Expected {name}_weights to be at least 0 and not all 0")
    heaviest = np.argsort(-masses, kind="stable")[:MAX_CLASSES]
    kept = heaviest[masses[heaviest] > 0]
    return points[kept], masses[kept] / masses[kept].sum()
