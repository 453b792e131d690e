"""Recommendations from a store with and without experience; nothing is trained."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasoa.cli import task as task_cli
from nasoa.errors import InvalidInput, UnknownName
from nasoa.online.choice.ranking import Ranking
from nasoa.online.choice.reasons import GROUPS
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.records import (
    BN_ALL,
    Experience,
    MetaFeatures,
    Probe,
    Recommendation,
    Regime,
    Task,
    from_json,
    to_json,
)
from nasoa.report.task_page import regime_markdown
from nasoa.steps import learning, methods, predict_regime
from nasoa.store import ArtifactStore, experience_log, open_store
from nasoa.zoo.entries import packaged_zoo
from tests import steps_alone


def a_task(dataset: str = "pets", clock: str = "steps") -> Task:
    return Task(
        task_id=f"task-{dataset}",
        data=dataset,
        dataset=dataset,
        time_limit_s=120.0,
        seed=0,
        class_names=("cat", "dog", "hen", "fox"),
        num_train=1200,
        num_val=100,
        num_test=200,
        resolution=64,
        meta_features=MetaFeatures(
            num_classes=4,
            num_images=1200,
            mean_images_per_class=300.0,
            std_images_per_class=10.0,
            domain_similarity=math.exp(-0.09),
            landmark_accuracy=0.7,
        ),
        mirror_safe=True,
        used_s=1.0,
        clock=clock,
        hardware="cpu-never-heard-of",
    )


def probed(task: Task) -> Task:
    """Return the task with probes in which every model is as good as the reference model."""
    probes = [
        Probe(
            model=entry.name,
            resolution=entry.resolution,
            num_images=300,
            accuracy=0.7,
            reference_accuracy=0.7,
        )
        for entry in packaged_zoo().entries.values()
    ]
    return replace(task, probes=tuple(probes))


def finished(number: int, regime: Regime, accuracy: float) -> Experience:
    task = replace(a_task(f"set{number}"), task_id=f"task-{number:03d}")
    return Experience(
        task=task,
        run_id=task.task_id,
        regime=regime,
        model=packaged_zoo().entry(regime.model),
        predicted_accuracy=0.5,
        predictor_version=0,
        accuracy=accuracy,
        val_accuracy=accuracy,
        elapsed_s=100.0,
        curve=(),
        confusion=(),
        ended="deadline",
        model_dir="",
        code_version="0",
        created_at=f"2026-01-01T00:00:{number:02d}",
    )


@pytest.fixture
def empty_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the packaged predictor one that has learned nothing."""
    monkeypatch.setattr(methods, "starter_state", lambda _: ExperiencePredictor().state())


@pytest.fixture(scope="module")
def experienced(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with 30 experiences in which low rates were better, learned in one version."""
    folder = tmp_path_factory.mktemp("store")
    store = open_store(str(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "starter_state", lambda _: ExperiencePredictor().state())
        _fill(store)
        assert learning.update(store).version_after == 2
    return str(folder)


def _fill(store: ArtifactStore) -> None:
    usual = steps_alone.predict_regime(a_task(), store.uri, top=1).candidates[0].regime
    rng = np.random.default_rng(0)
    for number in range(30):
        lr = float(rng.choice([0.2, 0.1, 0.02, 0.01]))
        reached = 0.95 - 0.25 * (lr > 0.05) + rng.normal(scale=0.01)
        experience_log.append(store, finished(number, replace(usual, lr=lr), reached))


@pytest.mark.usefixtures("empty_start")
def test_nothing_learned(tmp_path: Path) -> None:
    found = steps_alone.predict_regime(a_task(), str(tmp_path), top=4)
    assert len(found.candidates) == 4
    assert "no experience" in found.note
    assert (found.predictor_version, found.num_experiences, found.explores) == (1, 0, False)
    assert steps_alone.predict_regime(a_task(), str(tmp_path), top=4, explore=0.1) == found


def test_a_new_store_starts_from_the_packages_runs(tmp_path: Path) -> None:
    found = steps_alone.predict_regime(a_task(), str(tmp_path), top=4)
    known = len(collected_runs())
    assert (found.predictor_version, found.num_experiences) == (1, known)
    assert f"{known} collected runs" in found.note


def test_experience_decides_and_says_so(experienced: str) -> None:
    found = steps_alone.predict_regime(probed(a_task()), experienced, top=5)
    assert found.candidates[0].regime.lr <= 0.02
    assert (found.predictor_version, found.num_experiences) == (2, 30)
    assert found.note == "from 30 experiences and the default formula"
    best = found.candidates[0]
    assert {reason.feature for reason in best.reasons} <= set(GROUPS)
    gains = [abs(reason.gain) for reason in best.reasons]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 0.01
    # The same store gives the same answer, on the step clock to the last digit.
    assert steps_alone.predict_regime(probed(a_task()), experienced, top=5) == found


def test_a_model_that_was_not_probed_is_named(experienced: str) -> None:
    found = steps_alone.predict_regime(a_task(), experienced, top=1)
    model = found.candidates[0].regime.model
    assert f"; {model} was not probed on this data" in found.note
    others = tuple(p for p in probed(a_task()).probes if p.model != model)
    without = steps_alone.predict_regime(
        replace(a_task(), probes=others), experienced, top=1, models=[model]
    )
    assert f"; {model} was not probed on this data" in without.note
    again = steps_alone.predict_regime(probed(a_task()), experienced, top=1, models=[model])
    assert again.note == "from 30 experiences and the default formula"


@pytest.mark.parametrize("models", [["ET-NAS-A"], ["ET-NAS-B", "efficientnet-lite0"]])
def test_only_models_that_are_named_are_recommended(experienced: str, models: list[str]) -> None:
    found = steps_alone.predict_regime(a_task(), experienced, top=200, models=models)
    assert {candidate.regime.model for candidate in found.candidates} <= set(models)
    whole = steps_alone.predict_regime(a_task(), experienced, top=200)
    assert {candidate.regime.model for candidate in whole.candidates} - set(models)


def test_a_model_that_there_is_not_cannot_be_asked_for(experienced: str) -> None:
    with pytest.raises(UnknownName, match=r"unknown model 'ET-NAS-a': did you mean .*ET-NAS-A"):
        steps_alone.predict_regime(a_task(), experienced, models=["ET-NAS-B", "ET-NAS-a"])


def test_it_survives_json_and_is_shown(experienced: str) -> None:
    found = steps_alone.predict_regime(a_task(), experienced, top=5)
    assert from_json(to_json(found), Recommendation) == found
    document = json.loads(to_json(found))
    for candidate in document["candidates"]:
        assert {"regime", "predicted_accuracy", "interval", "predicted_s", "reasons"} <= set(
            candidate
        )
        low, high = candidate["interval"]
        assert 0 <= low <= candidate["predicted_accuracy"] <= high <= 1
        assert all(set(reason) == {"feature", "gain"} for reason in candidate["reasons"])
    row = task_cli.candidate_row(found.candidates[0])
    first = found.candidates[0].reasons[0]
    assert str(row[-1]).startswith(f"{first.feature} {first.gain:+.3f}")
    page = regime_markdown(found.candidates, 1, 30, found.note)
    assert f"{first.feature} {first.gain:+.3f}" in page


def test_recommendations_of_earlier_releases_can_be_read(experienced: str) -> None:
    """A killed task may continue with a recommendation that an earlier release stored."""
    document = json.loads(to_json(steps_alone.predict_regime(a_task(), experienced, top=1)))
    del document["explores"]
    for candidate in document["candidates"]:
        del candidate["reasons"]
        del candidate["regime"]["bn"]
        del candidate["regime"]["fitted_head"]
    found = from_json(json.dumps(document), Recommendation)
    assert found.candidates[0].reasons == ()
    assert not found.explores
    # In that release, statistics adapted everywhere and heads started from zeros.
    assert (found.candidates[0].regime.bn, found.candidates[0].regime.fitted_head) == (
        BN_ALL,
        False,
    )


def test_tasks_and_experiences_of_earlier_releases_can_be_read(experienced: str) -> None:
    store = open_store(experienced)
    written = json.loads(to_json(experience_log.read_all(store)[0]))
    del written["task"]["probes"]
    del written["regime"]["bn"]
    del written["regime"]["fitted_head"]
    found = from_json(json.dumps(written), Experience)
    assert found.task == replace(experience_log.read_all(store)[0].task, probes=())
    assert (found.regime.bn, found.regime.fitted_head) == (BN_ALL, False)
    predictor = ExperiencePredictor()
    predictor.learn([found])
    assert predictor.num_experiences == 1
    # A killed task of that release can continue, and one that was only described gets a choice.
    task = from_json(json.dumps(written["task"]), Task)
    assert steps_alone.predict_regime(task, experienced, top=1).candidates


def test_exploration_is_asked_for_and_named(experienced: str) -> None:
    usual = steps_alone.predict_regime(a_task(), experienced, top=3)
    found = steps_alone.predict_regime(a_task(), experienced, top=3, explore=0.1)
    assert found.explores
    assert "to learn from it" in found.note
    lost = usual.candidates[0].predicted_accuracy - found.candidates[0].predicted_accuracy
    assert 0.0 <= lost <= 0.1
    with pytest.raises(InvalidInput, match=r"exploration cost from 0 to 0\.1"):
        steps_alone.predict_regime(a_task(), experienced, explore=1.0)


def test_the_fallback_is_named(experienced: str) -> None:
    """After five tasks on which the mixture lost a tenth more than the best on average."""
    best = steps_alone.predict_regime(a_task(), experienced, top=1).candidates
    ranking = Ranking(candidates=best, explores=False, cost=0.0)
    task = probed(a_task())
    predictor = ExperiencePredictor()
    (one, two, *_) = experience_log.read_all(open_store(experienced))
    predictor.learn([one])
    told = predict_regime.explain_choice(predictor, ranking, task)
    assert told == "from 1 experience and the default formula"
    predictor.learn([two])
    worse = {**predictor.state(), "safe.record.regret": np.array([5.0, 0.5, 0.05])}
    fallen = ExperiencePredictor.from_state(worse)
    assert predict_regime.explain_choice(fallen, ranking, task) == (
        "by which kind of regime was best on average in 2 experiences: the predictor's own regret "
        "is larger so far"
    )


@pytest.mark.parametrize(("high", "is_told"), [(0.7, False), (0.8, True)])
def test_a_wide_interval_is_told(experienced: str, high: float, is_told: bool) -> None:
    (best,) = steps_alone.predict_regime(a_task(), experienced, top=1).candidates
    ranking = Ranking(candidates=(replace(best, interval=(0.5, high)),), explores=False, cost=0.0)
    told = predict_regime.explain_choice(ExperiencePredictor(), ranking, probed(a_task()))
    sentence = "; the accuracy is hard to predict here: 0.50 to 0.80 with 90 %"
    assert told.endswith(sentence) == is_told
    assert ("hard to predict" in told) == is_told


def test_unsure_times_drop_what_the_step_clock_offers(experienced: str) -> None:
    """On unmeasured hardware, more time is needed for the same certainty."""

    def shortest_s(clock: str) -> float:
        task = replace(a_task(clock=clock), time_limit_s=1.2)
        with pytest.raises(InvalidInput, match="time limit of at least") as caught:
            steps_alone.predict_regime(task, experienced)
        return float(str(caught.value).split("at least ")[1].split(" s")[0])

    assert shortest_s("wall") > shortest_s("steps")
