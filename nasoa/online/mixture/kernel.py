"""A covariance between runs from the similarity of their configurations and tasks.

With `s(x, x') = 1 / (1 + sum_j w_j (x_j - x'_j)^2)`, the rational quadratic kernel with shape 1
(Rasmussen and Williams 2006, section 4.2), which combines long and short ranges, as needed for
learning rates beyond which accuracy drops sharply:

    k = a s + c s_conf + [same task] (b + e s_conf)

`s` uses all columns, `s_conf` only those that vary within a task. So `c s_conf` is the effect of
configurations on all tasks, `a s` their effect on tasks with similar properties, `b` the level of a
task, and `e s_conf` the effect of configurations on that task alone. The noise is added to the
diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Array

NUM_VARIANCES = 5
# Initial values and prior centres: logarithms of a, c, b, e and the noise variance, in units of the
# targets' variance.
PRIOR_VARIANCES = np.log([0.3, 0.6, 0.5, 0.15, 0.03])
PRIOR_WEIGHT = np.log(0.15)
JITTER = 1e-6


@dataclass(frozen=True)
class Points:
    """`n` runs: `numbers` `(n, p)` standardised, `codes` `(n, q)` categories, and `groups` `(n,)`.

    A group of -1 is a task unrelated to all others.
    """

    numbers: Array
    codes: NDArray[np.int64]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, chosen: NDArray[np.int64]) -> Points:
        """Return only these points."""
        return Points(self.numbers[chosen], self.codes[chosen], self.groups[chosen])

    def followed_by(self, others: Points) -> Points:
        """Return these points followed by the others."""
        return Points(
            np.concatenate([self.numbers, others.numbers]),
            np.concatenate([self.codes, others.codes]),
            np.concatenate([self.groups, others.groups]),
        )


@dataclass(frozen=True)
class Scaled:
    """Points scaled by a kernel: distances are sums of squares and of weights of codes.

    `near`: `(n, ...)` numbers that vary within a task; `far`: `(n, ...)` all other numbers;
    `near_squares` and `far_squares`: `(n,)` their sums of squares; `codes`: `(q, n)`; `groups`:
    `(n,)`.
    """

    near: Array
    near_squares: Array
    far: Array
    far_squares: Array
    codes: NDArray[np.int32]
    groups: NDArray[np.int64]

    def block(self, rows: slice) -> Scaled:
        """Return only these points."""
        return Scaled(
            self.near[rows],
            self.near_squares[rows],
            self.far[rows],
            self.far_squares[rows],
            self.codes[:, rows],
            self.groups[rows],
        )


class Kernel:
    """The covariance described above.

    Args:
        within: `(p + q,)` which numbers and codes vary within a task.
        theta: logarithms of the five variances and `(p + q,)` weights; by default the centre of
            their prior.
    """

    def __init__(self, within: NDArray[np.bool_], theta: Array | None = None) -> None:
        self.within = within
        self.theta = prior_of(len(within)) if theta is None else theta
        self._variances = np.exp(self.theta[:4])
        self._weights = np.exp(self.theta[NUM_VARIANCES:])

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.theta[4])) + JITTER

    def scaled(self, points: Points) -> Scaled:
        """Prepare points for `covariance`; reuse the result for points that are used often."""
        count = points.numbers.shape[1]
        weighted = points.numbers * np.sqrt(self._weights[:count])
        near, far = weighted[:, self.within[:count]], weighted[:, ~self.within[:count]]
        return Scaled(
            near,
            np.einsum("ij,ij->i", near, near),
            far,
            np.einsum("ij,ij->i", far, far),
            np.ascontiguousarray(points.codes.T, dtype=np.int32),
            points.groups,
        )

    def variances(self, points: Scaled) -> Array:
        """Return `(n,)` variances of points, without noise."""
        a, c, b, e = self._variances
        found: Array = a + c + np.where(points.groups >= 0, b + e, 0.0)
        return found

    def between(self, one: Points, other: Points) -> Array:
        """Return `(n, m)` covariances, without noise."""
        return self.covariance(self.scaled(one), self.scaled(other))

    def covariance(self, one: Scaled, other: Scaled) -> Array:
        """Return `(n, m)` covariances, without noise."""
        a, c, b, e = self._variances
        alike = self._squares(one, other, near=True)
        far = None if self.within.all() else self._squares(one, other, near=False)
        alike += 1.0
        covariance: Array = a / (alike if far is None else alike + far)
        np.divide(1.0, alike, out=alike)
        covariance += c * alike
        alike *= e
        alike += b
        np.add(covariance, alike, out=covariance, where=same(one.groups, other.groups))
        return covariance

    def _squares(self, one: Scaled, other: Scaled, *, near: bool) -> Array:
        """Return `(n, m)` weighted squared distances over the near or the far numbers and codes."""
        left, right = (one.near, other.near) if near else (one.far, other.far)
        squares: Array = left @ right.T
        squares *= -2.0
        squares += (one.near_squares if near else one.far_squares)[:, None]
        squares += other.near_squares if near else other.far_squares
        np.maximum(squares, 0.0, out=squares)
        first = len(self.within) - len(one.codes)
        for code in np.flatnonzero(self.within[first:] == near):
            differs = one.codes[code][:, None] != other.codes[code]
            np.add(squares, self._weights[first + code], out=squares, where=differs)
        return squares


def prior_of(num_columns: int) -> Array:
    """Return the prior centre of the parameters: logarithms of variances, then of weights."""
    return np.concatenate([PRIOR_VARIANCES, np.full(num_columns, PRIOR_WEIGHT)])


def same(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return `(n, m)` whether two points belong to the same task; a task of -1 matches none."""
    found: NDArray[np.bool_] = (one[:, None] == other[None, :]) & (one >= 0)[:, None]
    return found
