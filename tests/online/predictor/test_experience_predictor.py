"""Predictions from the default formula to learned experience."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nasoa.online.choice.ranking import ALIKE, TRAINING_CAUTION, UNPROBED_CAUTION, Ranker
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME, ExperiencePredictor
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.predictor.regime_encoding import LAYOUT
from nasoa.online.regimes.log_odds import from_log_odds, log_odds
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.regimes.tabulate import for_task, tabulate_experiences
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import CollectedRecord, Experience, MetaFeatures, Regime, ZooEntry

RunMaker = Callable[..., Experience]


def sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def logit(value: float) -> float:
    return math.log(value / (1.0 - value))


def by_defaults(meta: MetaFeatures, entry: ZooEntry, regime: Regime) -> float:
    return float(DefaultPrior.packaged().predict(meta, [entry], [regime])[0])


def random_runs(
    run: RunMaker, zoo: dict[str, ZooEntry], meta: MetaFeatures, times: TaskTimes, count: int
) -> list[Experience]:
    """Runs with the default log-odds minus a parabola of the learning rate, plus noise."""
    rng = np.random.default_rng(0)
    offered = grid_candidates(RegimeSpace.small(), times, Budget(seconds=60.0))
    runs = []
    for number in range(count):
        regime = offered.regime(int(rng.integers(len(offered))))
        value = logit(by_defaults(meta, zoo[regime.model], regime))
        value += 0.3 * math.sin(number // 5) - (math.log10(regime.lr) + 2.0) ** 2
        runs.append(run(regime, sigmoid(value + rng.normal(scale=0.15)), dataset=f"d{number // 5}"))
    return runs


def test_name_says_the_layout() -> None:
    assert f"two-experts-{LAYOUT}" == PREDICTOR_NAME


def quickest_of_the_best(offered: RunTable, expected: NDArray[np.float64]) -> Regime:
    """Return the regime to choose, by log-odds, if no model was probed."""
    cautious = from_log_odds(expected - UNPROBED_CAUTION - TRAINING_CAUTION * ~offered.is_head)
    alike = np.flatnonzero(cautious >= cautious.max() - ALIKE)
    quickest = np.lexsort((-cautious[alike], offered.predicted_s[alike]))[0]
    return offered.regime(int(alike[quickest]))


def test_without_experience_the_defaults_predict_and_choose(
    run: RunMaker, regime: Regime, zoo: dict[str, ZooEntry], meta: MetaFeatures, times: TaskTimes
) -> None:
    predictor = ExperiencePredictor()
    expected = by_defaults(meta, zoo["small"], regime)
    assert predictor.predict(run(regime, 0.9)) == pytest.approx(expected)
    assert predictor.expert_weights == {}
    offered = grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0))
    (chosen,) = Ranker(predictor, meta, "t", zoo).rank(offered, 1).candidates
    regimes = offered.regimes()
    judged = DefaultPrior.packaged().predict(meta, [zoo[r.model] for r in regimes], regimes)
    assert chosen.regime == quickest_of_the_best(offered, log_odds(judged))
    assert chosen.predicted_accuracy == pytest.approx(judged[regimes.index(chosen.regime)])


def test_moves_smoothly_from_the_defaults_to_what_was_learned(
    run: RunMaker, regime: Regime
) -> None:
    """Ten runs at .95 where less was expected: closer with each run, without overshooting."""
    predictor = ExperiencePredictor()
    seen = [logit(predictor.predict(run(regime, 0.95)))]
    for number in range(10):
        predictor.learn([run(regime, 0.95, dataset=f"d{number}")])
        seen.append(logit(predictor.predict(run(regime, 0.95, dataset="new"))))
    gap = logit(0.95) - seen[0]
    steps = np.diff(seen)
    assert gap > 1.0
    assert steps.min() > -0.05 * gap
    assert steps.max() < 0.4 * gap
    assert seen[-1] == pytest.approx(logit(0.95), abs=0.25 * gap)


def test_where_nothing_was_tried_the_defaults_still_order(
    run: RunMaker, regime: Regime, zoo: dict[str, ZooEntry], meta: MetaFeatures, times: TaskTimes
) -> None:
    """Twenty runs of one regime show how hard tasks are, but nothing about other regimes."""
    predictor = ExperiencePredictor()
    predictor.learn([run(regime, 0.93, dataset=f"d{i}") for i in range(20)])
    offered = grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0))
    table = predictor.with_defaults(for_task(offered, meta, "new", zoo))
    expected = predictor.expected(table)
    ranks = [np.argsort(np.argsort(values)) for values in (table.defaults, expected)]
    assert np.corrcoef(*ranks)[0, 1] > 0.98


def test_fifty_experiences_turn_the_choice(
    run: RunMaker, regime: Regime, meta: MetaFeatures, zoo: dict[str, ZooEntry], times: TaskTimes
) -> None:
    offered = grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0))
    predictor = ExperiencePredictor()
    rng = np.random.default_rng(1)

    def choice() -> Regime:
        return Ranker(predictor, meta, "new", zoo).rank(offered, 1).candidates[0].regime

    assert choice().lr >= 0.05
    runs = []
    for number in range(50):
        lr = 0.01 if number % 2 else 0.1
        tried = replace(regime, lr=lr, frozen_stages=int(rng.integers(-1, 3)))
        reached = (0.9 if number % 2 else 0.6) + rng.normal(scale=0.02)
        runs.append(run(tried, reached, dataset=f"d{number // 2}"))
    predictor.learn(runs)
    assert choice().lr <= 0.02
    lows, highs = (
        predictor.predict(run(replace(regime, lr=lr), 0.5, dataset="new")) for lr in (0.1, 0.01)
    )
    assert lows == pytest.approx(0.6, abs=0.06)
    assert highs == pytest.approx(0.9, abs=0.06)


@pytest.fixture
def stream(
    run: RunMaker, zoo: dict[str, ZooEntry], meta: MetaFeatures, times: TaskTimes
) -> list[Experience]:
    return random_runs(run, zoo, meta, times, 80)


def test_interval_covers_and_state_is_everything(stream: list[Experience]) -> None:
    predictor = ExperiencePredictor()
    inside, widths = [], []
    for experience in stream:
        table = predictor.with_defaults(tabulate_experiences([experience]))
        (low,), (high,) = predictor.intervals(table)
        predicted = predictor.predict(experience)
        assert 0.0 <= low <= predicted <= high <= 1.0
        inside.append(low <= experience.accuracy <= high)
        widths.append(high - low)
        predictor.learn([experience])
    assert np.mean(inside[10:]) > 0.8
    assert np.mean(widths[-10:]) < 0.5 * widths[0]

    again = ExperiencePredictor.from_state(predictor.state())
    assert again.num_experiences == len(stream)
    assert again.expert_weights == predictor.expert_weights
    assert sum(again.expert_weights.values()) == pytest.approx(1.0)
    assert again.predict(stream[0]) == pytest.approx(predictor.predict(stream[0]), abs=1e-9)
    for one in (predictor, again):
        one.learn(stream[:2])
    assert again.predict(stream[5]) == pytest.approx(predictor.predict(stream[5]), abs=1e-9)


def test_the_same_runs_give_the_same_predictor(stream: list[Experience]) -> None:
    first, second = ExperiencePredictor(), ExperiencePredictor()
    for predictor in (first, second):
        predictor.learn(stream[:20])
    assert first.state().keys() == second.state().keys()
    for name, values in first.state().items():
        np.testing.assert_array_equal(values, second.state()[name])


def test_an_unseen_model_is_judged_by_its_like(
    run: RunMaker, regime: Regime, zoo: dict[str, ZooEntry]
) -> None:
    """Small models exceed the defaults and large ones fall short; two new models join the zoo."""
    predictor = ExperiencePredictor()
    rng = np.random.default_rng(2)
    runs = []
    for number in range(40):
        name = "small" if number % 2 else "large"
        tried = replace(regime, model=name, lr=float(10 ** rng.uniform(-2, -0.5)))
        expected = by_defaults(run(tried, 0.5).task.meta_features, zoo[name], tried)
        added = 1.0 if name == "small" else -1.0
        reached = sigmoid(logit(expected) + added + rng.normal(scale=0.1))
        runs.append(run(tried, reached, dataset=f"d{number // 2}"))
    predictor.learn(runs)
    for like, sign in (("small", 1.0), ("large", -1.0)):
        entry = replace(
            zoo[like],
            name="new",
            num_params=int(1.1 * zoo[like].num_params),
            source_accuracy=zoo[like].source_accuracy + 0.01,
        )
        for family in (entry.family, "never heard of"):
            new = replace(entry, family=family)
            experience = run(replace(regime, model="new"), 0.5, dataset="new", entry=new)
            expected = by_defaults(experience.task.meta_features, new, experience.regime)
            added = logit(predictor.predict(experience)) - logit(expected)
            assert sign * added > 0.4


def collected_from(experience: Experience, run_id: str) -> CollectedRecord:
    return CollectedRecord.of(
        experience.task.meta_features,
        experience.model,
        experience.regime,
        None,
        dataset=experience.task.dataset,
        run_id=run_id,
        image_resolution=64,
        mirror_safe=True,
        accuracy=experience.accuracy,
        val_accuracy=experience.accuracy,
        elapsed_s=1.0,
        ended="iterations",
        num_test=200,
        seed=0,
        hardware="cpu",
        code_version="0",
    )


def test_collected_runs_teach_what_experiences_do(stream: list[Experience]) -> None:
    """The same runs in the same groups give the same predictions of a new task."""
    runs = stream[:20]
    by_task = [r for name in dict.fromkeys(r.task.dataset for r in runs) for r in runs
               if r.task.dataset == name]  # fmt: skip
    users, table = ExperiencePredictor(), ExperiencePredictor()
    users.learn(by_task)
    table.learn_collected([collected_from(r, f"{i}") for i, r in enumerate(runs)])
    assert (users.num_experiences, table.num_experiences) == (20, 0)
    assert (users.num_collected, table.num_collected) == (0, 20)
    assert users.num_learned == table.num_learned == 20
    new = replace(stream[50], task=replace(stream[50].task, dataset="new"))
    assert table.predict(new) == pytest.approx(users.predict(new), abs=1e-12)
    assert ExperiencePredictor.from_state(table.state()).num_collected == 20


def test_while_its_record_is_worse_the_best_on_average_decides(
    stream: list[Experience], zoo: dict[str, ZooEntry], meta: MetaFeatures, times: TaskTimes
) -> None:
    predictor = ExperiencePredictor()
    predictor.learn(stream[:30])
    assert predictor.fallback_reason == ""
    assert predictor.decides
    state = predictor.state()
    # Five tasks on which the regret of the mixture was .1 larger.
    worse = {"safe.record.regret": np.array([5.0, 0.5, 0.05])}
    fallen = ExperiencePredictor.from_state({**state, **worse})
    assert fallen.fallback_reason == "regret"
    assert not fallen.decides
    offered = grid_candidates(RegimeSpace.small(), times, Budget(seconds=40.0))
    table = fallen.with_defaults(for_task(offered, meta, "new", zoo))
    found = fallen.expected(table)
    assert not np.allclose(found, predictor.expected(table))
    (chosen,) = Ranker(fallen, meta, "new", zoo).rank(offered, 1).candidates
    assert chosen.regime == quickest_of_the_best(offered, found)
    low, high = chosen.interval
    assert low < chosen.predicted_accuracy < high
