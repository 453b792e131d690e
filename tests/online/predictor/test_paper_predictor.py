"""The paper's predictor on fine-tunes: Eq. 3 and 4, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nasoa.online.adaptive_mlp.adaptive_mlp import AdaptiveMLP
from nasoa.online.choice.paper_choice import best_of_random
from nasoa.online.predictor.paper_predictor import PAPER_FEATURES, PaperPredictor
from nasoa.online.predictor.regime_encoding import encode
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.schedule_generator import Budget, random_candidates
from nasoa.online.regimes.tabulate import for_task, tabulate_experiences
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import Experience, MetaFeatures, Probe, Regime, ZooEntry

RunMaker = Callable[..., Experience]


@pytest.fixture
def runs(run: RunMaker, regime: Regime) -> list[Experience]:
    rng = np.random.default_rng(0)
    return [
        run(replace(regime, lr=lr), 0.9 - 0.2 * (lr > 0.05), dataset=f"d{number}")
        for number, lr in enumerate(rng.choice([0.2, 0.1, 0.02, 0.01], 60).tolist())
    ]


def test_it_is_the_papers_mlp_one_run_after_another(runs: list[Experience]) -> None:
    predictor = PaperPredictor()
    plain = AdaptiveMLP.paper(len(PAPER_FEATURES))
    rows = encode(tabulate_experiences(runs), PAPER_FEATURES)
    for experience, row in zip(runs, rows, strict=True):
        assert predictor.predict(experience) == float(np.clip(plain.predict(row), 0, 1))
        predictor.learn([experience])
        plain.learn(row, experience.accuracy)
    assert list(predictor.expert_weights.values()) == plain.alpha.tolist()


def test_neither_formula_nor_landmark_nor_probe_is_seen(
    runs: list[Experience], regime: Regime
) -> None:
    predictor = PaperPredictor()
    predictor.learn(runs)
    asked = runs[0]
    probe = Probe(model="small", resolution=64, num_images=99, accuracy=0.9, reference_accuracy=0.2)
    meta = replace(asked.task.meta_features, landmark_accuracy=0.1)
    told = replace(asked, task=replace(asked.task, meta_features=meta, probes=(probe,)))
    assert predictor.predict(told) == predictor.predict(asked)
    other = replace(asked, regime=replace(regime, frozen_stages=2))
    assert predictor.predict(other) != predictor.predict(asked)


def test_state_is_everything(runs: list[Experience]) -> None:
    predictor = PaperPredictor()
    assert predictor.expert_weights == {}
    predictor.learn(runs[:50])
    again = PaperPredictor.from_state(predictor.state())
    assert (again.num_experiences, again.num_learned) == (50, 50)
    for one in (predictor, again):
        one.learn(runs[50:])
    assert again.predict(runs[0]) == predictor.predict(runs[0])
    table = tabulate_experiences(runs)
    np.testing.assert_array_equal(again.intervals(table), predictor.intervals(table))


def test_the_interval_holds_what_comes(runs: list[Experience]) -> None:
    predictor = PaperPredictor()
    inside = []
    for experience in runs * 5:
        (low,), (high,) = predictor.intervals(tabulate_experiences([experience]))
        assert 0.0 <= low <= predictor.predict(experience) <= high <= 1.0
        inside.append(low <= experience.accuracy <= high)
        predictor.learn([experience])
    assert 0.8 <= np.mean(inside) <= 0.98


def test_the_best_of_random_configurations_at_their_longest(
    runs: list[Experience], times: TaskTimes, meta: MetaFeatures, zoo: dict[str, ZooEntry]
) -> None:
    """Algorithm 3, lines 10 to 18."""
    predictor = PaperPredictor()
    predictor.learn(runs)
    budget = Budget(seconds=60.0, only_longest=True)
    drawn = random_candidates(
        RegimeSpace.small(), times, budget, num_configurations=50, rng=np.random.default_rng(0)
    )
    table = for_task(drawn, meta, "t", zoo)
    found = best_of_random(predictor, table, 5).candidates
    scores = predictor.scores(table)
    assert [c.predicted_accuracy for c in found] == sorted(
        np.clip(scores, 0, 1).tolist(), reverse=True
    )[:5]
    assert found[0].regime == table.regime(int(np.argmax(scores)))
    low, high = found[0].interval
    assert low <= found[0].predicted_accuracy <= high
