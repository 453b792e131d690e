"""A Gaussian process over the runs of many tasks, with a cost independent of their number.

A prediction for a task is conditioned on a base of runs of all tasks and on the latest runs of that
task: the partially independent conditional of Snelson and Ghahramani (2007, "Local and global
sparse Gaussian process approximations") with actual runs as inducing points. The covariance of the
base is inverted once and extended by the runs of a task: with the base's inverse `A`, covariances
`C` to the task's runs and `B = A C`, the weights of the task's runs are
`(K_task - C^T B)^-1 (y_task - B^T y_base)`, and those of the base follow (the inverse of a
partitioned matrix). This takes one product with `A` per run.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from nasoa.online.mixture.kernel import Kernel, Points, Scaled
from nasoa.online.mixture.layout import Array

# A block of covariances to a base fits into the L2 cache of a processor.
ROWS_AT_ONCE = 64
LEAST_ROOM = 8


class GaussianProcess:
    """Posterior given a base of runs.

    Args:
        kernel: fitted kernel.
        base: `n` points, n > 0.
        targets: `(n,)` targets of the points.
    """

    def __init__(self, kernel: Kernel, base: Points, targets: Array) -> None:
        self.kernel = kernel
        self.base = kernel.scaled(base)
        self.mean = float(targets.mean())
        self.deviation = float(targets.std()) or 1.0
        covariance = kernel.covariance(self.base, self.base)
        covariance[np.diag_indices(len(base))] += kernel.noise
        factor = scipy.linalg.cholesky(covariance, lower=True, check_finite=False)
        lower, _ = scipy.linalg.lapack.dpotri(factor, lower=True)
        self.inverse: Array = np.tril(lower) + np.tril(lower, -1).T
        self.targets = self.standardised(targets)
        self.weights = self.inverse @ self.targets

    def standardised(self, targets: Array) -> Array:
        """Standardise targets to mean 0 and variance 1 over the base."""
        return (targets - self.mean) / self.deviation

    def predict(self, points: Points) -> Array:
        """Return `(n,)` posterior means given only the base."""
        standardised = self.kernel.covariance(self.kernel.scaled(points), self.base) @ self.weights
        predicted: Array = self.mean + self.deviation * standardised
        return predicted


class TaskProcess:
    """Posterior given the base and some runs of one task, which are not in the base.

    Args:
        process: process of the base.
        points: `m` runs of the task, m may be 0.
        targets: `(m,)` targets of the runs.
    """

    def __init__(self, process: GaussianProcess, points: Points, targets: Array) -> None:
        kernel = process.kernel
        self._process = process
        self._count = len(points)
        self._points = points
        self._scaled = kernel.scaled(points)
        covariances = kernel.covariance(self._scaled, process.base)
        borders = covariances @ process.inverse
        schur = kernel.covariance(self._scaled, self._scaled) - covariances @ borders.T
        schur[np.diag_indices(len(points))] += kernel.noise
        self._allocate(max(LEAST_ROOM, 2 * len(points)))
        self._borders[: len(points)] = borders
        self._left[: len(points)] = process.standardised(targets) - borders @ process.targets
        if len(points):
            factor = scipy.linalg.cholesky(schur, lower=True, check_finite=False)
            self._factor[: len(points), : len(points)] = factor
        self._weigh()
        self._latest: tuple[bytes, Array] = (b"", np.empty((0, 0)))

    def _allocate(self, room: int) -> None:
        """Allocate buffers for `room` runs: borders, factor, and residuals given the base."""
        self._borders = np.empty((room, len(self._process.targets)))
        self._factor = np.zeros((room, room))
        self._left = np.empty(room)

    def __len__(self) -> int:
        return self._count

    def _weigh(self) -> None:
        count = self._count
        if count == 0:
            self._weights, self._base_weights = np.empty(0), self._process.weights
            return
        factor = self._factor[:count, :count]
        self._weights = scipy.linalg.cho_solve(
            (factor, True), self._left[:count], check_finite=False
        )
        self._base_weights = self._process.weights - self._weights @ self._borders[:count]

    def predict(self, points: Points) -> Array:
        """Return `(n,)` posterior means for runs of the task."""
        scaled = self._process.kernel.scaled(points)
        starts = range(0, len(points), ROWS_AT_ONCE)
        blocks = [self._block(scaled.block(slice(s, s + ROWS_AT_ONCE))) for s in starts]
        predicted: Array = self._process.mean + self._process.deviation * np.concatenate(blocks)
        return predicted

    def _block(self, scaled: Scaled) -> Array:
        kernel = self._process.kernel
        found: Array = self._to_base(scaled) @ self._base_weights
        if self._count:
            found += kernel.covariance(scaled, self._scaled) @ self._weights
        return found

    def _to_base(self, scaled: Scaled) -> Array:
        """Return the covariances of points and base."""
        kernel, base = self._process.kernel, self._process.base
        if len(scaled.groups) != 1:
            return kernel.covariance(scaled, base)
        # A run is usually predicted just before it is learned, so its covariances are cached.
        key = scaled.near.tobytes() + scaled.far.tobytes() + scaled.codes.tobytes()
        if key != self._latest[0]:
            self._latest = key, kernel.covariance(scaled, base)
        return self._latest[1]

    def learn(self, point: Points, target: float) -> None:
        """Condition on one more run of the task."""
        kernel, process, count = self._process.kernel, self._process, self._count
        if count == len(self._left):
            self._grow()
        scaled = kernel.scaled(point)
        covariances = self._to_base(scaled)[0]
        border = covariances @ process.inverse
        own = float(kernel.variances(scaled)[0]) + kernel.noise - float(border @ covariances)
        if count:
            known = kernel.covariance(scaled, self._scaled)[0] - self._borders[:count] @ covariances
            row = scipy.linalg.solve_triangular(
                self._factor[:count, :count], known, lower=True, check_finite=False
            )
            self._factor[count, :count] = row
            own -= float(row @ row)
        # The conditional variance is at least the noise, except for rounding.
        self._factor[count, count] = np.sqrt(max(own, 0.5 * kernel.noise))
        self._borders[count] = border
        standardised = process.standardised(np.array([target]))[0]
        self._left[count] = standardised - float(border @ process.targets)
        self._points = self._points.followed_by(point)
        self._scaled = kernel.scaled(self._points)
        self._count += 1
        self._weigh()

    def _grow(self) -> None:
        borders, factor, left, count = self._borders, self._factor, self._left, self._count
        self._allocate(2 * count)
        self._borders[:count], self._left[:count] = borders, left
        self._factor[:count, :count] = factor
