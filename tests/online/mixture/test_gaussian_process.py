"""The posterior of a task is exact given base and task."""

from __future__ import annotations

import numpy as np

from nasoa.online.mixture.gaussian_process import GaussianProcess, TaskProcess
from nasoa.online.mixture.kernel import Kernel, Points


def draw(num_points: int, seed: int) -> tuple[Points, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(num_points, 2))
    groups = rng.integers(0, 3, num_points)
    codes = rng.integers(0, 2, (num_points, 1))
    targets = 0.5 + 0.1 * np.sin(numbers[:, 0]) + 0.05 * groups + 0.02 * codes[:, 0]
    return Points(numbers, codes, groups), targets


def test_equals_one_process_on_all_runs() -> None:
    kernel = Kernel(np.ones(3, dtype=np.bool_))
    base, base_targets = draw(25, 0)
    own, own_targets = draw(12, 1)
    asked, _ = draw(9, 2)
    process = GaussianProcess(kernel, base, base_targets)
    at_once = TaskProcess(process, own, own_targets)
    one_by_one = TaskProcess(process, own.take(np.arange(4)), own_targets[:4])
    for place in range(4, 12):
        one_by_one.learn(own.take(np.array([place])), float(own_targets[place]))
    everything = base.followed_by(own)
    covariance = kernel.between(everything, everything) + kernel.noise * np.eye(37)
    targets = process.standardised(np.concatenate([base_targets, own_targets]))
    solved = np.linalg.solve(covariance, targets)
    exact = process.mean + process.deviation * kernel.between(asked, everything) @ solved
    np.testing.assert_allclose(at_once.predict(asked), exact, atol=1e-9)
    np.testing.assert_allclose(one_by_one.predict(asked), exact, atol=1e-9)


def test_without_runs_of_the_task_it_is_the_base() -> None:
    base, targets = draw(20, 0)
    process = GaussianProcess(Kernel(np.ones(3, dtype=np.bool_)), base, targets)
    none = base.take(np.empty(0, dtype=np.int64))
    asked, _ = draw(5, 3)
    np.testing.assert_allclose(
        TaskProcess(process, none, np.empty(0)).predict(asked), process.predict(asked), atol=1e-12
    )


def test_a_run_that_comes_twice_breaks_nothing() -> None:
    base, targets = draw(20, 0)
    process = GaussianProcess(Kernel(np.ones(3, dtype=np.bool_)), base, targets)
    task = TaskProcess(process, base.take(np.array([0, 0, 0])), targets[[0, 0, 0]])
    for _ in range(5):
        task.learn(base.take(np.array([0])), float(targets[0]))
    assert np.isfinite(task.predict(base)).all()
