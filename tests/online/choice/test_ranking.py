"""Order of candidates, their reasons, and the effect of exploration."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nasoa.online.choice.preselection import preselect
from nasoa.online.choice.ranking import (
    ALIKE,
    BORROWED_SHARE,
    KEPT,
    SAMPLE,
    TRAINING_CAUTION,
    UNPROBED_CAUTION,
    Ranker,
)
from nasoa.online.choice.reasons import GROUPS
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.regimes.tabulate import for_task, model_columns
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import Candidate, Experience, MetaFeatures, Probe, ZooEntry

RunMaker = Callable[..., Experience]


@pytest.fixture(scope="module")
def offered(times: TaskTimes) -> RunTable:
    return grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0))


@pytest.fixture(scope="module")
def experienced(
    run: RunMaker, offered: RunTable, meta: MetaFeatures, zoo: dict[str, ZooEntry]
) -> ExperiencePredictor:
    """A predictor that has learned that low rates and two frozen stages exceed the defaults."""
    predictor = ExperiencePredictor()
    rng = np.random.default_rng(0)
    runs = []
    for number in range(60):
        regime = offered.regime(int(rng.integers(len(offered))))
        expected = DefaultPrior.packaged().predict(meta, [zoo[regime.model]], [regime])[0]
        value = np.log(expected / (1 - expected)) + 1.5 * (regime.frozen_stages == 2)
        value += -1.2 * (np.log10(regime.lr) + 2.0) ** 2 + rng.normal(scale=0.1)
        reached = float(1.0 / (1.0 + np.exp(-value)))
        runs.append(run(regime, reached, dataset=f"d{number // 6}"))
    predictor.learn(runs)
    return predictor


def exhaustive(
    predictor: ExperiencePredictor,
    offered: RunTable,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
) -> np.ndarray:
    table = predictor.with_defaults(for_task(offered, meta, "new", zoo))
    return from_log_odds(predictor.expected(table))


def test_finds_the_best_of_all_and_is_sorted(
    experienced: ExperiencePredictor,
    offered: RunTable,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
) -> None:
    """Few candidates get a full prediction; the one with the best full prediction is among them."""
    assert len(offered) > 2 * (SAMPLE + KEPT)
    ranking = Ranker(experienced, meta, "new", zoo).rank(offered, 20)
    everything = exhaustive(experienced, offered, meta, zoo)
    accuracies = [candidate.predicted_accuracy for candidate in ranking.candidates]
    # The first is the quickest of those as good as the best.
    assert accuracies[1:] == sorted(accuracies[1:], reverse=True)
    assert everything.max() - 0.003 - ALIKE <= accuracies[0] <= everything.max()
    first, *others = ranking.candidates
    alike = [c for c in others if c.predicted_accuracy >= everything.max() - ALIKE]
    assert all(first.predicted_s <= candidate.predicted_s for candidate in alike)
    assert accuracies[-1] > np.quantile(everything, 0.97)
    regimes = offered.regimes()
    for candidate in ranking.candidates:
        place = regimes.index(candidate.regime)
        assert candidate.predicted_accuracy == pytest.approx(everything[place])
        assert candidate.predicted_s == offered.predicted_s[place]
        low, high = candidate.interval
        assert 0 <= low <= candidate.predicted_accuracy <= high <= 1
    assert not ranking.explores
    assert ranking.cost == 0.0


def test_of_equals_the_quicker_comes_first(
    times: TaskTimes, meta: MetaFeatures, offered: RunTable
) -> None:
    """Candidates that differ only in how long they take."""
    twice = offered.take(np.array([5, 5, 5]))
    timed = twice.with_columns(predicted_s=np.array([3.0, 1.0, 2.0]))
    found = Ranker(ExperiencePredictor(), meta, "t", times.zoo).rank(timed, 3)
    assert [candidate.predicted_s for candidate in found.candidates] == [1.0, 2.0, 3.0]


def test_reasons_are_what_a_swap_would_lose(
    experienced: ExperiencePredictor,
    offered: RunTable,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
) -> None:
    ranked = Ranker(experienced, meta, "new", zoo).rank(offered, 2).candidates
    best = max(ranked, key=lambda candidate: candidate.predicted_accuracy)
    gains = {reason.feature: reason.gain for reason in best.reasons}
    assert set(gains) <= set(GROUPS)
    assert [abs(g) for g in gains.values()] == sorted(
        (abs(g) for g in gains.values()), reverse=True
    )
    # The reasons are the features that were learned to matter.
    assert {"learning rate", "frozen stages"} & set(list(gains)[:3])
    everything = exhaustive(experienced, offered, meta, zoo)
    defaults = DefaultPrior.packaged().log_odds(for_task(offered, meta, "new", zoo))
    median = offered.regime(int(np.argpartition(defaults, len(defaults) // 2)[len(defaults) // 2]))
    changed = {"lr": median.lr, "lr_schedule": median.lr_schedule, "fills_limit": True}
    swapped = replace(best.regime, **changed)
    regimes = offered.regimes()
    same = [i for i, r in enumerate(regimes) if replace(r, fills_limit=True) == swapped]
    lost = best.predicted_accuracy - everything[same[0]]
    assert gains.get("learning rate", 0.0) == pytest.approx(lost, abs=0.001)


def test_exploration_costs_what_it_says(
    experienced: ExperiencePredictor,
    offered: RunTable,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
) -> None:
    ranker = Ranker(experienced, meta, "new", zoo)
    usual = ranker.rank(offered, 5)
    for cost in (0.005, 0.05):
        found = ranker.rank(offered, 5, explore=cost)
        assert found.explores == (found.candidates[0] != usual.candidates[0])
        assert 0.0 <= found.cost <= cost
        best = usual.candidates[0].predicted_accuracy
        assert found.candidates[0].predicted_accuracy == pytest.approx(best - found.cost)
        if found.explores:
            low, high = found.candidates[0].interval
            usual_low, usual_high = usual.candidates[0].interval
            assert high - low > usual_high - usual_low
            assert found.candidates[1] == usual.candidates[0]
    assert found.explores


def test_nothing_is_explored_before_there_is_experience(
    offered: RunTable, meta: MetaFeatures, zoo: dict[str, ZooEntry]
) -> None:
    ranker = Ranker(ExperiencePredictor(), meta, "new", zoo)
    assert ranker.rank(offered, 3, explore=0.1) == ranker.rank(offered, 3)


def of_small(accuracy: float) -> Probe:
    return Probe(
        model="small", resolution=64, num_images=200, accuracy=accuracy, reference_accuracy=0.6
    )


def twins(offered: RunTable, models: dict[str, ZooEntry]) -> RunTable:
    """Return candidates with the same regime for two models."""
    is_alike = (offered.frozen_stages == 2) & offered.model.equals("small")
    place = int(np.flatnonzero(is_alike)[0])
    both = offered.take(np.array([place, place]))
    columns = model_columns(list(models.values()), np.array([0, 1]))
    # Ties are broken by the shorter time: the second comes first.
    return both.with_columns(**columns, predicted_s=np.array([2.0, 1.0]))


def by_defaults(
    pair: RunTable, meta: MetaFeatures, models: dict[str, ZooEntry], *probes: Probe
) -> list[float]:
    """Return the log-odds that the default formula expects of each."""
    table = for_task(pair, meta, "new", models, probes)
    return ExperiencePredictor().with_defaults(table).defaults.tolist()


def test_what_was_not_probed_is_ranked_with_caution(
    offered: RunTable, meta: MetaFeatures, small_model: ZooEntry
) -> None:
    """The lead that it needs is not part of the prediction."""
    same = {"small": small_model, "large": replace(small_model, name="large")}
    pair = twins(offered, same)

    def ranked(*probes: Probe) -> tuple[Candidate, Candidate]:
        ranker = Ranker(ExperiencePredictor(), meta, "new", same, probes)
        first, second = ranker.rank(pair, 2).candidates
        return first, second

    assert ranked()[0].regime.model == "large"  # neither was probed: the quicker one is first
    unprobed = by_defaults(pair, meta, same)[1]
    # Both train some stages. The slower one has to be ahead clearly.
    least = from_log_odds(unprobed - TRAINING_CAUTION - UNPROBED_CAUTION) + ALIKE
    by_probe = [of_small(a) for a in np.linspace(0.3, 0.9, 61)]
    told = [by_defaults(pair, meta, same, probe)[0] for probe in by_probe]
    firsts = [ranked(p)[0].regime.model for p in by_probe]
    expected = [
        "small" if from_log_odds(value - TRAINING_CAUTION) > least else "large" for value in told
    ]
    assert firsts == expected
    assert {"small", "large"} == set(firsts)
    # So a candidate that is predicted to be slightly worse may come first.
    worse = [
        pair
        for pair in (ranked(p) for p in by_probe)
        if pair[0].predicted_accuracy < pair[1].predicted_accuracy
    ]
    assert worse
    assert all(first.regime.model == "small" for first, _ in worse)
    # If both are probed, there is no caution.
    other = replace(of_small(0.6), model="large")
    assert ranked(of_small(0.59), other)[0].regime.model == "large"


def test_what_borrows_a_probe_is_ranked_with_little_caution(
    offered: RunTable, meta: MetaFeatures, small_model: ZooEntry
) -> None:
    """Less than if no model with the same pretraining was probed, but some."""
    told = of_small(0.7)
    of_source = replace(
        told, source="objects", source_accuracy=0.32, source_classes=200, model_resolution=64
    )
    accuracies = np.linspace(0.3, 0.6, 61)

    def ahead(found: Probe) -> tuple[list[float], list[bool]]:
        """Return the lead of the model that was not probed, and whether it comes first."""
        advantages, is_first = [], []
        for source_accuracy in accuracies:
            other = replace(small_model, name="large", source_accuracy=float(source_accuracy))
            both = {"small": small_model, "large": other}
            pair = twins(offered, both)
            small, large = by_defaults(pair, meta, both, found)
            ranker = Ranker(ExperiencePredictor(), meta, "new", both, [found])
            advantages.append(float(large - small))
            is_first.append(ranker.rank(pair, 1).candidates[0].regime.model == "large")
        return advantages, is_first

    for found, caution in (
        (of_source, BORROWED_SHARE * UNPROBED_CAUTION),
        (replace(told, accuracy=0.5), UNPROBED_CAUTION),
    ):
        advantages, is_first = ahead(found)
        # The other is quicker, so what is nearly as good as it comes second.
        as_good = ALIKE / 0.25  # log-odds: a quarter of that is the accuracy, at most
        for advantage, found_first in zip(advantages, is_first, strict=True):
            if abs(advantage - caution) > as_good:
                assert found_first == (advantage > caution)
        assert {True, False} == set(is_first)
        # Not every lead is enough.
        assert any(
            advantage > 0.02 and not it for advantage, it in zip(advantages, is_first, strict=True)
        )


def test_a_probe_turns_the_choice(
    offered: RunTable, meta: MetaFeatures, zoo: dict[str, ZooEntry]
) -> None:
    def chosen(small: float, large: float) -> str:
        probes = [of_small(small), replace(of_small(large), model="large")]
        ranker = Ranker(ExperiencePredictor(), meta, "new", zoo, probes)
        return ranker.rank(offered, 1).candidates[0].regime.model

    assert chosen(0.9, 0.3) == "small"
    assert chosen(0.3, 0.9) == "large"


def test_preselection_finds_what_a_learned_surface_likes(offered: RunTable) -> None:
    """An accuracy surface of model, rate, frozen stages and length, unknown to the defaults."""
    surface = (
        -((np.log10(offered.lr) + 2.0) ** 2)
        + 0.5 * (offered.frozen_stages == 1)
        + 0.3 * offered.model.codes
        - 0.2 * np.log(offered.iterations) * (offered.frozen_stages == 1)
    )
    indifferent = offered.with_columns(defaults=0.0)
    found = preselect(indifferent, surface.__getitem__, sample=150, kept=100)
    assert len(found) == len(set(found.tolist())) == 100
    # Candidates that the surface does not distinguish are equally good.
    twentieth = np.sort(surface)[-20]
    assert (surface[found] >= twentieth).sum() >= 18


def test_few_candidates_are_all_kept(offered: RunTable) -> None:
    few = offered.take(np.arange(30)).with_columns(defaults=0.0)
    found = preselect(few, np.zeros(30).__getitem__, sample=20, kept=10)
    assert found.tolist() == list(range(30))


def test_100_000_candidates_are_ranked_quickly(
    experienced: ExperiencePredictor,
    times: TaskTimes,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
) -> None:
    lrs = tuple(np.geomspace(0.001, 0.3, 60).tolist())
    space = replace(RegimeSpace.small(), lrs=lrs)
    ranker = Ranker(experienced, meta, "new", zoo)
    ranker.rank(grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0)), 5)
    # Processor time of one thread, which other work of the machine does not affect.
    with threadpool_limits(1):
        started = time.process_time()
        many = grid_candidates(space, times, Budget(seconds=40.0))
        ranking = ranker.rank(many, 5)
        elapsed_s = time.process_time() - started
    assert 95_000 < len(many) < 120_000
    assert len(ranking.candidates) == 5
    assert elapsed_s < 1.0  # 0.2 s when this was written
