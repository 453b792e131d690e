"""A Gaussian process over the runs of many tasks, at a cost that does not grow with them.

A prediction for a task rests on a base of runs of all tasks and on the latest runs of that task:
the partially independent conditional of Snelson and Ghahramani (2007, "Local and global sparse
Gaussian process approximations") with real runs for inducing points. The covariance of the base is
inverted once. The runs of a task border it: with the base's inverse `A`, covariances `C` to the
task's runs and `B = A C`, the weights of these are `(K_task - C^T B)^-1 (y_task - B^T y_base)`,
and those of the base follow (the inverse of a partitioned matrix). One product with `A` a run.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from nasoa.online.predictors.kernel import Kernel, Points
from nasoa.online.predictors.layout import Array


class GaussianProcess:
    """Posterior given a base of runs.

    Args:
        kernel: fitted.
        base: `n` points, n > 0.
        targets: `(n,)`.
    """

    def __init__(self, kernel: Kernel, base: Points, targets: Array) -> None:
        self.kernel = kernel
        self.base = base
        self.mean = float(targets.mean())
        self.deviation = float(targets.std()) or 1.0
        covariance = kernel.between(base, base)
        covariance[np.diag_indices(len(base))] += kernel.noise
        factor = scipy.linalg.cho_factor(covariance, lower=True, check_finite=False)
        self.inverse = scipy.linalg.cho_solve(factor, np.eye(len(base)), check_finite=False)
        self.targets = self.standardised(targets)
        self.weights = self.inverse @ self.targets

    def standardised(self, targets: Array) -> Array:
        """Targets of mean 0 and variance 1 over the base."""
        return (targets - self.mean) / self.deviation

    def predict(self, points: Points) -> Array:
        """`(n,)` posterior means given the base alone."""
        standardised = self.kernel.between(points, self.base) @ self.weights
        predicted: Array = self.mean + self.deviation * standardised
        return predicted


class TaskProcess:
    """Posterior given the base and some runs of one task, which are not in the base.

    Args:
        process: the base.
        points: `m` runs of the task, m may be 0.
        targets: `(m,)`.
    """

    def __init__(self, process: GaussianProcess, points: Points, targets: Array) -> None:
        self._process = process
        self._points = points
        self._targets = process.standardised(targets)
        covariances = process.kernel.between(points, process.base)
        self._borders = covariances @ process.inverse
        schur = process.kernel.between(points, points) - covariances @ self._borders.T
        schur[np.diag_indices(len(points))] += process.kernel.noise
        self._factor = (
            scipy.linalg.cholesky(schur, lower=True, check_finite=False)
            if len(points)
            else np.empty((0, 0))
        )
        self._weigh()

    def __len__(self) -> int:
        return len(self._points)

    def _weigh(self) -> None:
        left = self._targets - self._borders @ self._process.targets
        self._weights = (
            scipy.linalg.cho_solve((self._factor, True), left, check_finite=False)
            if len(left)
            else left
        )
        self._base_weights = self._process.weights - self._weights @ self._borders

    def predict(self, points: Points) -> Array:
        """`(n,)` posterior means for runs of the task."""
        kernel = self._process.kernel
        standardised = kernel.between(points, self._process.base) @ self._base_weights
        if len(self._points):
            standardised += kernel.between(points, self._points) @ self._weights
        predicted: Array = self._process.mean + self._process.deviation * standardised
        return predicted

    def learn(self, point: Points, target: float) -> None:
        """Take in one more run of the task."""
        kernel = self._process.kernel
        covariances = kernel.between(point, self._process.base)[0]
        border = covariances @ self._process.inverse
        among = kernel.between(point, self._points)[0] - self._borders @ covariances
        own = kernel.between(point, point)[0, 0] + kernel.noise - border @ covariances
        self._factor = _extended(self._factor, among, float(own), kernel.noise)
        self._borders = np.vstack([self._borders, border])
        self._points = self._points.followed_by(point)
        standardised = self._process.standardised(np.array([target]))
        self._targets = np.append(self._targets, standardised)
        self._weigh()


def _extended(
    factor: NDArray[np.float64], among: Array, own: float, least: float
) -> NDArray[np.float64]:
    """The Cholesky factor of a matrix with one more row `among` and diagonal element `own`."""
    count = len(factor)
    larger = np.zeros((count + 1, count + 1))
    larger[:count, :count] = factor
    if count:
        row = scipy.linalg.solve_triangular(factor, among, lower=True, check_finite=False)
        larger[count, :count] = row
        own -= float(row @ row)
    # What is left is at least the noise, but for rounding.
    larger[count, count] = np.sqrt(max(own, 0.5 * least))
    return larger
