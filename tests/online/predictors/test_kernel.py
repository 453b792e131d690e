"""The covariance and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from nasoa.online.predictors.kernel import Kernel, Points, _loss, _same


def points(num_points: int, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    return Points(
        rng.normal(size=(num_points, 3)),
        rng.integers(0, 3, (num_points, 2)),
        rng.integers(0, 4, num_points),
    )


@pytest.mark.parametrize(
    "within", [(True, True, True, True, True), (True, False, True, True, False)]
)
def test_gradient_is_the_slope(within: tuple[bool, ...]) -> None:
    some = points(14)
    kernel = Kernel(np.array(within))
    differences = [c[:, None] - c[None, :] for c in some.numbers.T]
    differs = [c[:, None] != c[None, :] for c in some.codes.T]
    distances = np.array([*(d**2 for d in differences), *differs], dtype=np.float64)
    targets = np.random.default_rng(1).normal(size=14)
    fixed = (kernel.prior, distances, kernel.within, _same(some.groups, some.groups), targets)
    theta = kernel.prior + np.random.default_rng(2).normal(size=len(kernel.prior))
    error = check_grad(lambda t: _loss(t, *fixed)[0], lambda t: _loss(t, *fixed)[1], theta)
    assert error < 1e-4


@pytest.mark.parametrize(
    "within", [(True, True, True, True, True), (True, False, True, True, False)]
)
def test_covariance_is_symmetric_and_positive(within: tuple[bool, ...]) -> None:
    some = points(30)
    covariance = Kernel(np.array(within)).between(some, some)
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_a_task_of_its_own_is_like_no_other() -> None:
    some = points(2)
    alone = Points(some.numbers, some.codes, np.array([-1, -1]))
    together = Points(some.numbers, some.codes, np.array([1, 1]))
    kernel = Kernel(np.ones(5, dtype=np.bool_))
    assert (kernel.between(alone, alone) < kernel.between(together, together)).all()


def test_fitting_finds_which_number_matters() -> None:
    rng = np.random.default_rng(0)
    some = Points(rng.normal(size=(80, 2)), np.zeros((80, 0), dtype=np.int64), np.full(80, -1))
    targets = np.sin(2 * some.numbers[:, 0])
    kernel = Kernel(np.ones(2, dtype=np.bool_))
    kernel.fit(some, (targets - targets.mean()) / targets.std())
    assert kernel.theta[-2] > kernel.theta[-1] + 2.0
