"""Axes of the space, and the configurations at their points."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.final.space import SearchSpace, without_length
from benchmarks.final.subject import Subject
from nasoa.errors import TimeLimitError
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.schedule_generator import grid_candidates
from nasoa.records import HEAD_ONLY, Regime


def at(space: SearchSpace, point: dict[str, int]) -> Regime:
    found = space.configuration(point)
    assert found is not None
    return found


def sampled(space: SearchSpace, count: int, seed: int) -> list[Regime]:
    rng = np.random.default_rng(seed)
    return [at(space, space.sample(rng)) for _ in range(count)]


def test_the_points_are_what_nasoa_ranks(space: SearchSpace, subject: Subject) -> None:
    """Every configuration of nasoa's grid is at some point, and nothing else is."""
    budget = subject.budget(space.limit_s(1.0))
    ranked = grid_candidates(RegimeSpace.small(), subject.times(space.models), budget).regimes()
    names = [axis.name for axis in space.axes]
    points = product(*(range(axis.count) for axis in space.axes))
    found = {space.configuration(dict(zip(names, point, strict=True))) for point in points}
    assert found - {None} == {without_length(regime) for regime in ranked}
    assert len(space) == len(found - {None})
    assert None in found


def test_one_model_leaves_its_hyperparameters(subject: Subject) -> None:
    space = SearchSpace(subject, ("ET-NAS-A",), 4.0)
    assert "model" not in {axis.name for axis in space.axes}
    rng = np.random.default_rng(0)
    assert {at(space, space.sample(rng)).model for _ in range(20)} == {"ET-NAS-A"}


def test_samples_are_of_the_space(space: SearchSpace) -> None:
    samples = sampled(space, 300, 0)
    assert all(configuration in space for configuration in samples)
    assert {configuration.model for configuration in samples} == set(space.models)
    # Heads alone are a sixth of the points, and fit where others do not.
    heads = sum(configuration.frozen_stages == HEAD_ONLY for configuration in samples)
    assert 300 / 6 * 0.6 < heads < 300 / 6 * 2.5


def test_a_part_of_the_limit_shortens_the_training(space: SearchSpace) -> None:
    trained = [c for c in sampled(space, 60, 1) if c.frozen_stages != HEAD_ONLY]
    for configuration in trained:
        whole, half = space.regime(configuration), space.regime(configuration, 0.5)
        assert without_length(whole) == configuration
        assert whole.iterations >= half.iterations >= 1
    shorter = [c for c in trained if space.regime(c).iterations > space.regime(c, 0.5).iterations]
    assert shorter


def test_what_does_not_fit_a_part_trains_till_the_time_is_over(space: SearchSpace) -> None:
    tiny = [space.regime(configuration, 0.01) for configuration in sampled(space, 20, 1)]
    assert all(regime.iterations <= 10 and regime.fills_limit for regime in tiny)


def test_a_limit_that_nothing_fits_is_refused(subject: Subject) -> None:
    with pytest.raises(TimeLimitError, match="expected a time limit of at least"):
        SearchSpace(subject, ("ET-NAS-A",), 0.4)
