"""Fit the parameters of a kernel to runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.optimize import minimize

from nasoa.online.mixture.kernel import (
    JITTER,
    NUM_VARIANCES,
    Kernel,
    Points,
    prior_of,
    same,
)
from nasoa.online.mixture.layout import Array

PRIOR_DEVIATION = 1.5
BOUND = 7.0
MOST_ITERATIONS = 25


def fitted(kernel: Kernel, points: Points, targets: Array) -> Kernel:
    """Return the maximum a posteriori kernel for `(n,)` targets of mean 0 and variance 1.

    The optimisation starts from the parameters of `kernel`. The weight of a column that is constant
    in `points` is set to the centre of its prior.
    """
    prior = prior_of(len(kernel.within))
    pairs = Pairs.of(points)
    told = np.concatenate([np.ones(NUM_VARIANCES, dtype=np.bool_), pairs.distances.any(axis=1)])
    differing = Pairs(pairs.rows, pairs.columns, pairs.distances[told[NUM_VARIANCES:]], pairs.same)
    found = minimize(
        loss,
        kernel.theta[told],
        args=(prior[told], differing, kernel.within[told[NUM_VARIANCES:]], targets),
        jac=True,
        method="L-BFGS-B",
        bounds=[(centre - BOUND, centre + BOUND) for centre in prior[told]],
        options={"maxiter": MOST_ITERATIONS},
    )
    theta = prior.copy()
    theta[told] = found.x
    return Kernel(kernel.within, theta)


@dataclass(frozen=True)
class Pairs:
    """The `m = n (n + 1) / 2` pairs of `n` points, including each point with itself.

    `rows`, `columns`: `(m,)` indices of the pairs in the lower triangle of a matrix; `distances`:
    `(p + q, m)` squared distance in each number, 0 or 1 in each code; `same`: `(m,)` whether the
    two points belong to the same task.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    distances: Array
    same: NDArray[np.bool_]

    @classmethod
    def of(cls, points: Points) -> Pairs:
        """Create the pairs of points."""
        rows, columns = np.tril_indices(len(points))
        numbers = [(c[rows] - c[columns]) ** 2 for c in points.numbers.T]
        codes = [c[rows] != c[columns] for c in points.codes.T]
        distances = np.array([*numbers, *codes], dtype=np.float64).reshape(-1, len(rows))
        return cls(rows, columns, distances, same(points.groups, points.groups)[rows, columns])


def loss(
    theta: Array, prior: Array, pairs: Pairs, within: NDArray[np.bool_], targets: Array
) -> tuple[float, Array]:
    """Return the negative log posterior density and its gradient."""
    a, c, b, e, noise = np.exp(theta[:NUM_VARIANCES])
    weights = np.exp(theta[NUM_VARIANCES:])
    near, far = np.stack([weights * within, weights * ~within]) @ pairs.distances
    alike, alike_all = 1.0 / (1.0 + near), 1.0 / (1.0 + near + far)
    shared = c + e * pairs.same
    matrix = np.zeros((len(targets), len(targets)))
    matrix[pairs.rows, pairs.columns] = a * alike_all + shared * alike + b * pairs.same
    matrix[np.diag_indices(len(targets))] += noise + JITTER
    factor = scipy.linalg.cholesky(matrix, lower=True, check_finite=False)
    solved = scipy.linalg.cho_solve((factor, True), targets, check_finite=False)
    inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=True)
    away = theta - prior
    value = (
        0.5 * float(targets @ solved)
        + float(np.log(np.diag(factor)).sum())
        + 0.5 * float(away @ away) / PRIOR_DEVIATION**2
    )
    # d value / d K, to be multiplied by d K / d parameter and summed. A pair of two distinct points
    # counts twice.
    slope = inverse[pairs.rows, pairs.columns] - solved[pairs.rows] * solved[pairs.columns]
    itself = pairs.rows == pairs.columns
    slope[itself] *= 0.5
    by_all = -a * slope * alike_all**2
    by_near = by_all - slope * shared * alike**2
    by_weight = pairs.distances @ np.stack([by_near, by_all], axis=1)
    variances = [
        a * (slope @ alike_all),
        c * (slope @ alike),
        b * slope[pairs.same].sum(),
        e * (slope @ (alike * pairs.same)),
        noise * slope[itself].sum(),
    ]
    gradient = np.concatenate([variances, weights * np.where(within, *by_weight.T)])
    return value, gradient + away / PRIOR_DEVIATION**2
