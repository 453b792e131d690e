"""Candidates that fit a budget."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import CONFIGURATION_COLUMNS, RunTable
from nasoa.online.regimes.schedule_generator import (
    FRACTIONS,
    LEAST_HEAD_BATCHES,
    LEAST_ITERATIONS,
    SHORT_FRACTIONS,
    Budget,
    grid_candidates,
    random_candidates,
)
from nasoa.online.regimes.tabulate import for_task
from nasoa.online.regimes.task_times import TaskTimes, TimeModel
from nasoa.records import BN_FIXED, HEAD_ONLY, MetaFeatures, ZooEntry
from nasoa.zoo.task_size import TaskSize

SPACE = RegimeSpace.small()
SIZE = TaskSize(num_train=1300, num_val=200, num_test=400, num_classes=10)

Unsure = Callable[[float], TimeModel]


@settings(max_examples=20, deadline=None)
@given(budget_s=st.floats(2.0, 2000.0), seed=st.integers(0, 100))
def test_what_is_offered_fits_and_is_as_long_as_possible(
    times: TaskTimes, budget_s: float, seed: int
) -> None:
    budget = Budget(seconds=budget_s, only_longest=True)
    rng = np.random.default_rng(seed)
    offered = [
        *grid_candidates(SPACE, times, budget).regimes(),
        *random_candidates(SPACE, times, budget, num_configurations=50, rng=rng).regimes(),
    ]
    for regime in offered:
        is_head = regime.frozen_stages == HEAD_ONLY
        assert regime.iterations >= (LEAST_HEAD_BATCHES if is_head else LEAST_ITERATIONS)
        assert times.predicted_s(regime) <= budget_s + 1e-9
        most = math.floor(SPACE.max_epochs * times.size.num_train / regime.batch_size)
        if regime.frozen_stages == HEAD_ONLY:
            most = math.ceil(times.size.num_train / regime.batch_size)  # it sees each image once
        assert regime.iterations <= most
        one_more = replace(regime, iterations=regime.iterations + 1)
        if regime.fills_limit:
            assert times.predicted_s(one_more) > budget_s - 1e-9
        else:
            assert regime.iterations == most


def lengths(offered: RunTable) -> dict[tuple[float, ...], list[tuple[int, bool]]]:
    """Return iterations and `fills_limit` of each configuration, in order."""
    found: dict[tuple[float, ...], list[tuple[int, bool]]] = {}
    rows = zip(
        map(tuple, offered.configurations().tolist()),
        offered.iterations.tolist(),
        offered.fills_limit.tolist(),
        strict=True,
    )
    for configuration, iterations, fills in rows:
        found.setdefault(configuration, []).append((iterations, fills))
    return found


@settings(max_examples=20, deadline=None)
@given(budget_s=st.floats(2.0, 3000.0))
def test_lengths_at_fractions_of_the_limit(times: TaskTimes, budget_s: float) -> None:
    offered = lengths(grid_candidates(SPACE, times, Budget(seconds=budget_s)))
    longest = lengths(grid_candidates(SPACE, times, Budget(seconds=budget_s, only_longest=True)))
    assert set(offered) == set(longest)
    for configuration, own in offered.items():
        assert own[0] == longest[configuration][0]
        iterations = [count for count, _ in own]
        assert iterations == sorted(set(iterations), reverse=True)
        assert len(own) <= len(FRACTIONS)
        assert not any(fills for _, fills in own[1:])
        if configuration[CONFIGURATION_COLUMNS.index("frozen_stages")] == HEAD_ONLY:
            assert len(own) == 1  # it benefits from every image
            continue
        full, is_limited = own[0]
        # Bounded by the limit, or else by `max_epochs`.
        wanted = [f for f in FRACTIONS if not (is_limited and f in SHORT_FRACTIONS)]
        if is_limited:
            assert len(own) == sum(int(f * full) >= LEAST_ITERATIONS for f in wanted)
        for shorter in iterations[1:]:
            assert min(abs(shorter / full - fraction) for fraction in wanted) <= 1 / full


def test_a_long_limit_offers_the_whole_grid(times: TaskTimes, zoo: dict[str, ZooEntry]) -> None:
    longest = grid_candidates(SPACE, times, Budget(seconds=1e6, only_longest=True))
    assert len(longest) == len(SPACE.grid(zoo, 64))
    assert not longest.fills_limit.any()


def test_a_long_limit_offers_few_epochs_too(times: TaskTimes) -> None:
    offered = grid_candidates(SPACE, times, Budget(seconds=1e6))
    epochs = offered.iterations * offered.batch_size / times.size.num_train
    for low, high in ((4.0, 6.0), (15.0, 25.0), (45.0, 60.0), (150.0, 201.0)):
        assert (~offered.is_head & (epochs > low) & (epochs < high)).any()


@pytest.mark.parametrize("num_train", [100, 1300])
def test_a_head_alone_takes_every_image_once_where_there_is_time(
    time_model: TimeModel, zoo: dict[str, ZooEntry], num_train: int
) -> None:
    """Its iterations are batches of images; small data sets have fewer than the usual minimum."""
    times = TaskTimes(time_model, zoo, replace(SIZE, num_train=num_train), image_resolution=64)
    heads = RegimeSpace.heads()
    everything = grid_candidates(heads, times, Budget(seconds=1e4))
    assert len(everything) == len(heads.grid(zoo, times.image_resolution))
    batches = math.ceil(num_train / 64)
    assert set(everything.iterations) == {batches}
    assert not everything.fills_limit.any()
    least_s = float(everything.predicted_s.min())
    enough = grid_candidates(heads, times, Budget(seconds=least_s + 1e-6))
    assert set(enough.iterations) == {batches}
    if batches <= LEAST_HEAD_BATCHES:
        with pytest.raises(TimeLimitError):
            grid_candidates(heads, times, Budget(seconds=least_s - 1e-6))
    else:
        fewer = grid_candidates(heads, times, Budget(seconds=least_s - 1e-6))
        assert set(fewer.iterations) == {batches - 1}
        assert fewer.fills_limit.all()


def test_a_short_limit_drops_what_does_not_fit(times: TaskTimes) -> None:
    offered = grid_candidates(SPACE, times, Budget(seconds=3.0))
    longer = grid_candidates(SPACE, times, Budget(seconds=100.0))
    assert 0 < len(offered) < len(longer)

    def trained_whole(table: RunTable) -> set[str]:
        """Return the models that are fully trained at their own resolution."""
        return {r.model for r in table.regimes() if (r.frozen_stages, r.resolution) == (-1, 64)}

    assert trained_whole(offered) == {"small"}
    assert trained_whole(longer) == {"small", "large"}


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5])
def test_what_would_miss_too_often_is_not_offered(
    zoo: dict[str, ZooEntry], unsure_times: Unsure, probability: float
) -> None:
    """With sampled true times, candidates are those that miss the budget at most this often."""
    error, budget_s = 0.4, 3.0
    times = TaskTimes(unsure_times(error), zoo, SIZE, image_resolution=64)
    budget = Budget(seconds=budget_s, miss_probability=probability)
    grid = SPACE.grid(zoo, 64)
    costs = times.costs(grid)
    fewest = np.where(grid.is_head, LEAST_HEAD_BATCHES, LEAST_ITERATIONS)
    least_s = costs.fixed_s + fewest * costs.step_s
    factors = np.exp(error * np.random.default_rng(0).normal(size=4000))
    missed = (least_s[:, None] * factors > budget_s).mean(axis=1)
    offered = set(lengths(grid_candidates(SPACE, times, budget)))
    for configuration, share in zip(grid.configurations().tolist(), missed, strict=True):
        if share < probability - 0.02:
            assert tuple(configuration) in offered
        if share > probability + 0.02:
            assert tuple(configuration) not in offered
    assert 0 < len(offered) < len(grid)


def test_an_error_costs_no_iterations_of_what_is_offered(
    zoo: dict[str, ZooEntry], unsure_times: Unsure
) -> None:
    """Training that fills the limit ends in time in any case."""
    sure, unsure = (
        lengths(
            grid_candidates(
                SPACE,
                TaskTimes(unsure_times(e), zoo, SIZE, image_resolution=64),
                Budget(seconds=30.0),
            )
        )
        for e in (0.0, 0.4)
    )
    assert set(unsure) <= set(sure)
    assert all(sure[configuration] == own for configuration, own in unsure.items())


@pytest.mark.parametrize("error", [0.0, 0.4])
def test_the_least_limit_that_the_error_names_works(
    zoo: dict[str, ZooEntry], unsure_times: Unsure, error: float
) -> None:
    times = TaskTimes(unsure_times(error), zoo, SIZE, image_resolution=64)
    with pytest.raises(TimeLimitError) as caught:
        grid_candidates(SPACE, times, Budget(seconds=0.5, spent_s=0.25))
    found = re.search(r"at least ([\d.]+) s .* got 0\.8 s", str(caught.value))
    assert found is not None
    shortest_s = float(found.group(1))
    assert len(grid_candidates(SPACE, times, Budget(seconds=shortest_s - 0.25)))
    with pytest.raises(TimeLimitError):
        grid_candidates(SPACE, times, Budget(seconds=shortest_s - 0.25 - 0.11))


def test_random_gives_what_fits_even_if_it_was_not_drawn(times: TaskTimes) -> None:
    with pytest.raises(TimeLimitError) as caught:
        random_candidates(
            SPACE,
            times,
            Budget(seconds=0.1),
            num_configurations=5,
            rng=np.random.default_rng(0),
        )
    shortest_s = float(re.findall(r"([\d.]+) s", str(caught.value))[0])
    for seed in range(10):
        assert len(
            random_candidates(
                SPACE,
                times,
                Budget(seconds=shortest_s),
                num_configurations=1,
                rng=np.random.default_rng(seed),
            )
        )


def test_random_is_seeded_and_within_its_number(times: TaskTimes) -> None:
    def draw(seed: int) -> list[object]:
        return list(
            random_candidates(
                SPACE,
                times,
                Budget(seconds=60.0, only_longest=True),
                num_configurations=40,
                rng=np.random.default_rng(seed),
            ).regimes()
        )

    assert draw(1) == draw(1) != draw(2)
    assert 20 < len(draw(1)) <= 40
    assert len(set(draw(1))) == len(draw(1))


def test_wrong_numbers(times: TaskTimes, time_model: TimeModel) -> None:
    budget = Budget(seconds=60.0)
    with pytest.raises(InvalidInput, match="num_configurations"):
        random_candidates(SPACE, times, budget, num_configurations=0, rng=np.random.default_rng(0))
    empty = TaskTimes(time_model, {}, SIZE, image_resolution=64)
    with pytest.raises(InvalidInput, match="empty"):
        grid_candidates(SPACE, empty, budget)
    for probability in (0.0, 0.6):
        with pytest.raises(InvalidInput, match="miss_probability"):
            Budget(seconds=1.0, miss_probability=probability)


def test_a_regime_says_what_its_row_says(times: TaskTimes, meta: MetaFeatures) -> None:
    offered = grid_candidates(SPACE, times, Budget(seconds=60.0))
    table = for_task(offered, meta, "t", times.zoo)
    for place in range(0, len(offered), 97):
        regime = offered.regime(place)
        assert regime.iterations == offered.iterations[place] == table.iterations[place]
        assert offered.predicted_s[place] == pytest.approx(times.predicted_s(regime))
        assert table.lr[place] == regime.lr
        assert table.num_params[place] == times.zoo[regime.model].num_params
        assert table.cached_features[place] == regime.cached_features
        assert table.fitted_head[place] == regime.fitted_head
        assert table.adapts_trained_bn[place] == (regime.bn != BN_FIXED)
        assert math.isnan(table.landmark_accuracy[place])
