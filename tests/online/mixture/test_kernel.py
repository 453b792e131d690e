"""The covariance and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from nasoa.online.mixture.kernel import Kernel, Points, prior_of
from nasoa.online.mixture.kernel_fit import PRIOR_DEVIATION, Pairs, fitted, loss


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
    prior = prior_of(5)
    targets = np.random.default_rng(1).normal(size=14)
    fixed = (prior, Pairs.of(some), np.array(within), targets)
    theta = prior + np.random.default_rng(2).normal(size=len(prior))
    error = check_grad(lambda t: loss(t, *fixed)[0], lambda t: loss(t, *fixed)[1], theta)
    assert error < 1e-4


@pytest.mark.parametrize(
    "within", [(True, True, True, True, True), (True, False, True, True, False)]
)
def test_loss_is_the_density_of_the_covariance(within: tuple[bool, ...]) -> None:
    some, targets = points(14), np.random.default_rng(1).normal(size=14)
    theta = prior_of(5) + 0.3
    kernel = Kernel(np.array(within), theta)
    covariance = kernel.between(some, some) + kernel.noise * np.eye(14)
    density = multivariate_normal.logpdf(targets, np.zeros(14), covariance)
    prior = 0.5 * len(theta) * (0.3 / PRIOR_DEVIATION) ** 2
    expected = prior - density - 7.0 * np.log(2.0 * np.pi)
    value, _ = loss(theta, prior_of(5), Pairs.of(some), np.array(within), targets)
    assert value == pytest.approx(expected, abs=1e-4)


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
    standardised = (targets - targets.mean()) / targets.std()
    kernel = fitted(Kernel(np.ones(2, dtype=np.bool_)), some, standardised)
    assert kernel.theta[-2] > kernel.theta[-1] + 2.0
