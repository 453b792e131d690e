"""Candidates that fit, and their order."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.online.encode import FeatureEncoder
from nasoa.online.generator import (
    LEAST_ITERATIONS,
    experience_weight,
    grid_candidates,
    random_candidates,
    rank,
)
from nasoa.online.interval import RunningInterval
from nasoa.online.predictor import AdaptiveMLP
from nasoa.online.prior import DefaultPrior
from nasoa.online.regime_space import RegimeSpace
from nasoa.online.task_times import TaskTimes, TimeModel
from nasoa.records import Candidate, MetaFeatures, Regime, ZooEntry

SPACE = RegimeSpace.small()


@pytest.fixture
def times(time_model: TimeModel, zoo: dict[str, ZooEntry], meta: MetaFeatures) -> TaskTimes:
    return TaskTimes(time_model, zoo, num_train=meta.num_images, num_val=200, num_test=400)


def ranked(
    candidates: list[Regime],
    meta: MetaFeatures,
    times: TaskTimes,
    *,
    predictor: AdaptiveMLP | None = None,
    weight: float = 0.0,
    interval: RunningInterval | None = None,
    top: int | None = None,
) -> list[Candidate]:
    return rank(
        candidates,
        meta,
        predictor or AdaptiveMLP.paper(FeatureEncoder().num_features),
        DefaultPrior(),
        weight,
        times=times,
        interval=interval or RunningInterval(),
        top=top,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(budget_s=st.floats(2.0, 2000.0), seed=st.integers(0, 100))
def test_what_is_offered_fits_and_is_as_long_as_possible(
    times: TaskTimes, budget_s: float, seed: int
) -> None:
    offered = [
        *grid_candidates(SPACE, times, budget_s=budget_s),
        *random_candidates(
            SPACE,
            times,
            budget_s=budget_s,
            num_configurations=50,
            rng=np.random.default_rng(seed),
        ),
    ]
    for regime in offered:
        assert regime.iterations >= LEAST_ITERATIONS
        assert times.predicted_s(regime) <= budget_s
        epochs = regime.iterations * regime.batch_size / times.num_train
        assert epochs <= SPACE.max_epochs
        one_more = replace(regime, iterations=regime.iterations + 1)
        if regime.fills_limit:
            assert times.predicted_s(one_more) > budget_s
        else:
            assert epochs + regime.batch_size / times.num_train > SPACE.max_epochs


def test_a_long_limit_offers_the_whole_grid(times: TaskTimes, zoo: dict[str, ZooEntry]) -> None:
    offered = grid_candidates(SPACE, times, budget_s=1e6)
    assert len(offered) == len(list(SPACE.grid(zoo)))
    assert not any(regime.fills_limit for regime in offered)


def test_a_short_limit_drops_what_does_not_fit(times: TaskTimes) -> None:
    offered = grid_candidates(SPACE, times, budget_s=3.0)
    assert {regime.model for regime in offered} == {"small"}
    assert 0 < len(offered) < len(grid_candidates(SPACE, times, budget_s=100.0))


def test_the_least_limit_that_the_error_names_works(times: TaskTimes) -> None:
    with pytest.raises(TimeLimitError) as caught:
        grid_candidates(SPACE, times, budget_s=0.5, spent_s=0.25)
    found = re.search(r"at least ([\d.]+) s .* but 0\.8 s came", str(caught.value))
    assert found is not None
    shortest_s = float(found.group(1))
    assert grid_candidates(SPACE, times, budget_s=shortest_s - 0.25)
    with pytest.raises(TimeLimitError):
        grid_candidates(SPACE, times, budget_s=shortest_s - 0.25 - 0.11)


def test_random_gives_what_fits_even_if_it_was_not_drawn(times: TaskTimes) -> None:
    with pytest.raises(TimeLimitError) as caught:
        random_candidates(
            SPACE, times, budget_s=0.1, num_configurations=5, rng=np.random.default_rng(0)
        )
    shortest_s = float(re.findall(r"([\d.]+) s", str(caught.value))[0])
    for seed in range(10):
        assert random_candidates(
            SPACE,
            times,
            budget_s=shortest_s,
            num_configurations=1,
            rng=np.random.default_rng(seed),
        )


def test_random_is_seeded_and_within_its_number(times: TaskTimes) -> None:
    def draw(seed: int) -> list[Regime]:
        rng = np.random.default_rng(seed)
        return random_candidates(SPACE, times, budget_s=60.0, num_configurations=40, rng=rng)

    assert draw(1) == draw(1) != draw(2)
    assert 20 < len(draw(1)) <= 40
    assert len(set(draw(1))) == len(draw(1))


def test_wrong_numbers(times: TaskTimes, time_model: TimeModel, meta: MetaFeatures) -> None:
    with pytest.raises(InvalidInput, match="num_configurations"):
        random_candidates(
            SPACE, times, budget_s=60.0, num_configurations=0, rng=np.random.default_rng(0)
        )
    empty = TaskTimes(time_model, {}, num_train=10, num_val=1, num_test=1)
    with pytest.raises(InvalidInput, match="empty"):
        grid_candidates(SPACE, empty, budget_s=60.0)
    with pytest.raises(InvalidInput, match="weight"):
        ranked(grid_candidates(SPACE, times, budget_s=60.0), meta, times, weight=1.5)


def test_ranks_by_the_mixture_best_first(times: TaskTimes, meta: MetaFeatures) -> None:
    candidates = grid_candidates(SPACE, times, budget_s=30.0)
    entries = [times.zoo[regime.model] for regime in candidates]
    features = FeatureEncoder().encode_many(meta, entries, candidates)
    predictor = AdaptiveMLP.paper(features.shape[1])
    rng = np.random.default_rng(0)
    predictor.learn(features, rng.uniform(0.2, 0.9, len(features)))
    weight = experience_weight(50)
    expected = weight * predictor.predict(features)
    expected += (1 - weight) * DefaultPrior().predict(meta, entries, candidates)
    found = ranked(candidates, meta, times, predictor=predictor, weight=weight)
    accuracies = [candidate.predicted_accuracy for candidate in found]
    assert accuracies == sorted(accuracies, reverse=True)
    by_regime = {candidate.regime: candidate for candidate in found}
    assert len(by_regime) == len(candidates)
    for regime, accuracy in zip(candidates, expected, strict=True):
        assert by_regime[regime].predicted_accuracy == pytest.approx(np.clip(accuracy, 0, 1))
        assert by_regime[regime].predicted_s == times.predicted_s(regime)


def test_experience_changes_the_choice(times: TaskTimes, meta: MetaFeatures) -> None:
    grid = grid_candidates(SPACE, times, budget_s=40.0)
    candidates = [regime for regime in grid if regime.model == "small"]
    first = ranked(candidates, meta, times)[0].regime
    assert first.frozen_stages == -1
    entries = [times.zoo[regime.model] for regime in candidates]
    features = FeatureEncoder().encode_many(meta, entries, candidates)
    head = np.array([regime.frozen_stages == 4 for regime in candidates])
    predictor = AdaptiveMLP.paper(features.shape[1])
    order = np.random.default_rng(0).permutation(len(candidates))
    predictor.learn(features[order], np.where(head, 0.9, 0.4)[order])
    wiser = ranked(
        candidates, meta, times, predictor=predictor, weight=experience_weight(len(candidates))
    )
    assert wiser[0].regime.frozen_stages == 4


def test_interval_is_around_the_prediction(times: TaskTimes, meta: MetaFeatures) -> None:
    interval = RunningInterval()
    interval.observe(np.zeros(50), np.full(50, 0.04))
    found = ranked(
        grid_candidates(SPACE, times, budget_s=30.0), meta, times, interval=interval, top=3
    )
    assert len(found) == 3
    for candidate in found:
        low, high = candidate.interval
        assert low == pytest.approx(candidate.predicted_accuracy - 0.04)
        assert high == pytest.approx(candidate.predicted_accuracy + 0.04)


def test_of_equals_the_quicker_comes_first(
    times: TaskTimes, meta: MetaFeatures, regime: Regime
) -> None:
    class Indifferent(DefaultPrior):
        def predict_table(self, table: object) -> np.ndarray:
            return np.full(len(table), 0.5)  # type: ignore[arg-type]

    quick, slow = replace(regime, iterations=20), replace(regime, iterations=30)
    found = rank(
        [slow, quick],
        meta,
        AdaptiveMLP(1),
        Indifferent(),
        0.0,
        times=times,
        interval=RunningInterval(),
    )
    assert [candidate.regime for candidate in found] == [quick, slow]


def test_nothing_to_rank(times: TaskTimes, meta: MetaFeatures) -> None:
    assert ranked([], meta, times) == []


def test_weight_grows_from_prior_to_predictor() -> None:
    weights = [experience_weight(n) for n in (0, 1, 100, 10_000)]
    assert weights[0] == 0.0
    assert weights[2] == 0.5
    assert weights == sorted(weights)
    assert 0.98 < weights[3] < 1


def test_100_000_candidates_are_ranked_in_about_a_second(
    times: TaskTimes, meta: MetaFeatures, regime: Regime
) -> None:
    candidates = [
        replace(regime, lr=0.001 + 1e-6 * i, frozen_stages=i % 6 - 1) for i in range(100_000)
    ]
    # Processor time of one thread: what else the machine does is not to decide.
    with threadpool_limits(1):
        started = time.process_time()
        found = ranked(candidates, meta, times, weight=0.5, top=10)
        elapsed_s = time.process_time() - started
    assert len(found) == 10
    assert elapsed_s < 1.5  # 0.35 s when this was written
