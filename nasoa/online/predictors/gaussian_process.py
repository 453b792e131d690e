"""A Gaussian process over runs that takes in one after another between fits.

Refitted, the covariance of a base of runs is inverted. A run that comes later borders it: with the
base's inverse `A`, covariances `C` to the later runs and `B = A C`, the later runs' weights are
`(K_later - C^T B)^-1 (y_later - C^T A y_base)`, and the base's follow (the inverse of a partitioned
matrix). One product with `A` a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from nasoa.online.predictors.kernel import Kernel, Points
from nasoa.online.predictors.layout import Array, State


class GaussianProcess:
    """Posterior mean given a base of runs and those that came later.

    Args:
        kernel: fitted.
        base: `n` points.
        targets: `(n,)`.
    """

    def __init__(self, kernel: Kernel, base: Points, targets: Array) -> None:
        self.kernel = kernel
        self.base = base
        self._targets = targets
        self._mean = float(targets.mean())
        self._deviation = float(targets.std()) or 1.0
        covariance = kernel.between(base, base)
        covariance[np.diag_indices(len(base))] += kernel.noise
        factor = scipy.linalg.cho_factor(covariance, lower=True, check_finite=False)
        self._inverse = scipy.linalg.cho_solve(factor, np.eye(len(base)), check_finite=False)
        self._base_weights = self._inverse @ self._standardised(targets)
        self._later = base.take(np.empty(0, dtype=np.int64))
        self._later_targets = np.empty(0)
        self._bordering = np.empty((0, len(base)))
        self._schur = np.empty((0, 0))
        self._weights = self._base_weights
        self._later_weights = np.empty(0)

    def _standardised(self, targets: Array) -> Array:
        return (targets - self._mean) / self._deviation

    def predict(self, points: Points) -> Array:
        """`(n,)` posterior means."""
        standardised = self.kernel.between(points, self.base) @ self._weights
        if len(self._later):
            standardised += self.kernel.between(points, self._later) @ self._later_weights
        return self._mean + self._deviation * standardised

    def learn(self, point: Points, target: float) -> None:
        """Take in one more run."""
        covariances = self.kernel.between(point, self.base)[0]
        border = self._inverse @ covariances
        count = len(self._later)
        schur = np.empty((count + 1, count + 1))
        schur[:count, :count] = self._schur
        among = self.kernel.between(point, self._later)[0] - self._bordering @ covariances
        schur[count, :count] = schur[:count, count] = among
        own = float(self.kernel.between(point, point)[0, 0]) + self.kernel.noise
        schur[count, count] = own - float(border @ covariances)
        self._schur = schur
        self._bordering = np.vstack([self._bordering, border])
        self._later = self._later.followed_by(point)
        self._later_targets = np.append(self._later_targets, target)
        self._weigh()

    def _weigh(self) -> None:
        # C^T A y = B^T y.
        explained = self._bordering @ self._standardised(self._targets)
        left = self._standardised(self._later_targets) - explained
        self._later_weights = scipy.linalg.solve(self._schur, left, assume_a="pos")
        self._weights = self._base_weights - self._later_weights @ self._bordering

    def state(self) -> State:
        """What `from_state` computes the rest from; a tenth of it in size."""
        points = self.base.followed_by(self._later)
        return {
            "theta": self.kernel.theta.copy(),
            "within": self.kernel.within,
            "numbers": points.numbers,
            "codes": points.codes,
            "groups": points.groups,
            "targets": np.concatenate([self._targets, self._later_targets]),
            "size": np.array(len(self.base)),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> GaussianProcess:
        """The process that `state()` was called on, by the same computations in the same order."""
        kernel = Kernel(np.array(state["within"]))
        kernel.theta = np.array(state["theta"])
        points = Points(*(np.array(state[name]) for name in ("numbers", "codes", "groups")))
        targets = np.array(state["targets"])
        size = int(state["size"])
        process = cls(kernel, points.take(np.arange(size)), targets[:size])
        for number in range(size, len(targets)):
            process.learn(points.take(np.array([number])), float(targets[number]))
        return process
