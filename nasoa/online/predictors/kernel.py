"""A covariance between runs: how alike their configurations are, and whether the task is the same.

With `s(x, x') = 1 / (1 + sum_j w_j (x_j - x'_j)^2)`, the rational quadratic kernel with shape 1
(Rasmussen and Williams 2006, section 4.2), which holds long and short ranges at once, as learning
rates with a cliff need them:

    k = a s + c s_conf + [same task] (b + e s_conf)

`s` looks at every column, `s_conf` only at those that differ within a task. So `c s_conf` is what
configurations do everywhere, `a s` what they do on tasks with such properties, `b` the level of a
task and `e s_conf` what is particular to it. The noise adds to the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.optimize import minimize

from nasoa.online.predictors.layout import Array

NUM_VARIANCES = 5
# Starts, and centres of the prior: logarithms of a, c, b, e and the noise's variance, in units of
# the targets' variance.
PRIOR_VARIANCES = np.log([0.3, 0.6, 0.5, 0.15, 0.03])
PRIOR_WEIGHT = np.log(0.15)
PRIOR_DEVIATION = 1.5
BOUND = 7.0
MOST_ITERATIONS = 25
JITTER = 1e-6


@dataclass(frozen=True)
class Points:
    """`n` runs: `numbers` `(n, p)` standardised, `codes` `(n, q)` categories, and `groups` `(n,)`.

    A group of -1 is a task that is like no other.
    """

    numbers: Array
    codes: NDArray[np.int64]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, chosen: NDArray[np.int64]) -> Points:
        """Those points alone."""
        return Points(self.numbers[chosen], self.codes[chosen], self.groups[chosen])

    def followed_by(self, others: Points) -> Points:
        """These points, then the others."""
        return Points(
            np.concatenate([self.numbers, others.numbers]),
            np.concatenate([self.codes, others.codes]),
            np.concatenate([self.groups, others.groups]),
        )


class Kernel:
    """The covariance above.

    Args:
        within: `(p + q,)` which numbers and codes differ within a task.
    """

    def __init__(self, within: NDArray[np.bool_]) -> None:
        self.within = within
        self.theta = self.prior.copy()

    @property
    def prior(self) -> Array:
        """The centre of the parameters' prior: variances, then logarithms of weights."""
        return np.concatenate([PRIOR_VARIANCES, np.full(len(self.within), PRIOR_WEIGHT)])

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.theta[4])) + JITTER

    def between(self, one: Points, other: Points) -> Array:
        """`(n, m)` covariances, without noise."""
        a, c, b, e = np.exp(self.theta[:4])
        near = self._squares(one, other, self.within)
        alike = 1.0 / (1.0 + near)
        same = _same(one.groups, other.groups)
        covariance: Array = c * alike + np.where(same, b + e * alike, 0.0)
        far = 0.0 if self.within.all() else self._squares(one, other, ~self.within)
        covariance += a / (1.0 + near + far)
        return covariance

    def _squares(self, one: Points, other: Points, chosen: NDArray[np.bool_]) -> Array:
        """`(n, m)` weighted squared distances over the chosen numbers and codes."""
        weights = np.where(chosen, np.exp(self.theta[NUM_VARIANCES:]), 0.0)
        by_number, by_code = np.split(weights, [one.numbers.shape[1]])
        kept = by_number > 0.0
        scale = np.sqrt(by_number[kept])
        left, right = one.numbers[:, kept] * scale, other.numbers[:, kept] * scale
        squares: Array = (
            (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
        )
        np.maximum(squares, 0.0, out=squares)
        for code in np.flatnonzero(by_code):
            squares += by_code[code] * (one.codes[:, code, None] != other.codes[None, :, code])
        return squares

    def fit(self, points: Points, targets: Array) -> None:
        """The parameters of greatest posterior density for `(n,)` targets of mean 0, variance 1."""
        differences = [c[:, None] - c[None, :] for c in points.numbers.T]
        differs = [c[:, None] != c[None, :] for c in points.codes.T]
        distances = np.array([*(d**2 for d in differences), *differs], dtype=np.float64)
        distances = distances.reshape(-1, len(points), len(points))
        same = _same(points.groups, points.groups)
        prior = self.prior
        found = minimize(
            _loss,
            self.theta,
            args=(prior, distances, self.within, same, targets),
            jac=True,
            method="L-BFGS-B",
            bounds=[(centre - BOUND, centre + BOUND) for centre in prior],
            options={"maxiter": MOST_ITERATIONS},
        )
        self.theta = np.asarray(found.x)


def _same(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (one[:, None] == other[None, :]) & (one >= 0)[:, None]
    return same


def _loss(
    theta: Array,
    prior: Array,
    distances: Array,
    within: NDArray[np.bool_],
    same: NDArray[np.bool_],
    targets: Array,
) -> tuple[float, Array]:
    """Negative logarithm of the posterior density, and its gradient."""
    a, c, b, e, noise = np.exp(theta[:NUM_VARIANCES])
    weights = np.exp(theta[NUM_VARIANCES:])
    near = np.tensordot(weights[within], distances[within], axes=1)
    far = np.tensordot(weights[~within], distances[~within], axes=1)
    alike, alike_all = 1.0 / (1.0 + near), 1.0 / (1.0 + near + far)
    shared = c + e * same
    covariance = a * alike_all + shared * alike + b * same
    covariance[np.diag_indices(len(targets))] += noise + JITTER
    factor = scipy.linalg.cho_factor(covariance, lower=True, check_finite=False)
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(targets)), check_finite=False)
    solved = inverse @ targets
    away = theta - prior
    value = (
        0.5 * float(targets @ solved)
        + float(np.log(np.diag(factor[0])).sum())
        + 0.5 * float(away @ away) / PRIOR_DEVIATION**2
    )
    # d value / d K, to be multiplied by d K / d parameter and summed.
    slope = 0.5 * (inverse - np.outer(solved, solved))
    by_all = slope * (-a) * alike_all**2
    by_near = by_all - slope * shared * alike**2
    gradient = away / PRIOR_DEVIATION**2
    gradient[0] += a * float((slope * alike_all).sum())
    gradient[1] += c * float((slope * alike).sum())
    gradient[2] += b * float(slope[same].sum())
    gradient[3] += e * float((slope * alike)[same].sum())
    gradient[4] += noise * float(np.trace(slope))
    for source, is_within in enumerate(within):
        pull = by_near if is_within else by_all
        gradient[NUM_VARIANCES + source] += weights[source] * float(
            np.vdot(pull, distances[source])
        )
    return value, gradient
