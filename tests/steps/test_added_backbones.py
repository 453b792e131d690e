"""An added backbone is chosen, timed and fine-tuned like any other model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from nasoa.errors import UnknownName
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES
from nasoa.records import MetaFeatures, Regime
from nasoa.steps import classifying, zoo
from nasoa.steps.predict_regime import feasible_candidates
from nasoa.store import ArtifactStore, open_store
from nasoa.zoo.additions import Addition
from tests import steps_alone
from tests.encoded_regimes import encode_regimes

DIGITS = "sklearn:digits:classes=0,1,2:per_class=40"
NAME = "small"


@pytest.fixture
def request_(tmp_path: Path) -> Addition:
    torch.manual_seed(0)
    network = models.mobilenet_v3_small(weights=None, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    return Addition(
        model="torchvision:mobilenet_v3_small",
        weights=tmp_path / "w.pth",
        name=NAME,
        accuracy=0.5,
        resolution=32,
    )


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"))


def test_each_addition_is_a_version_that_keeps_those_before(
    store: ArtifactStore, request_: Addition
) -> None:
    zoo.add_backbone(store, request_)
    first = store.get("zoo/added/v0001/zoo.json")
    zoo.add_backbone(store, replace(request_, name="other"))
    lists = [key for key in store.list("zoo/") if key.endswith("zoo.json")]
    assert lists == ["zoo/added/v0001/zoo.json", "zoo/added/v0002/zoo.json"]
    assert store.get(lists[0]) == first
    joined = zoo.load_zoo(store)
    assert {NAME, "other", "ET-NAS-A"} <= set(joined.entries)
    assert joined.weights(NAME) == joined.weights("other")


def test_it_is_recommended_fine_tuned_and_classifies(
    store: ArtifactStore, request_: Addition, tmp_path: Path
) -> None:
    zoo.add_backbone(store, request_)
    task = steps_alone.compute_meta_features(DIGITS, "20s", store.uri, clock="steps", models=[NAME])
    assert [probe.model for probe in task.probes] == [NAME]
    recommended = steps_alone.predict_regime(task, store.uri, top=1)
    regimes = feasible_candidates(store, zoo.load_zoo(store), task, task.used_s).regimes()
    own = [regime for regime in regimes if regime.model == NAME]
    assert {regime.frozen_stages for regime in own} >= {-1, 2, 4}
    for frozen in (2, 4):
        regime = next(regime for regime in own if regime.frozen_stages == frozen)
        short = replace(regime, iterations=3, fills_limit=False)
        chosen = replace(recommended.candidates[0], regime=short)
        attempt = replace(task, task_id=f"{task.task_id}-{frozen}")
        experience = steps_alone.finetune(
            attempt, replace(recommended, candidates=(chosen,)), store.uri
        )
        assert experience.model.builder == "torchvision:mobilenet_v3_small"
        # A head alone is fitted on all images.
        batches = math.ceil(task.num_train / regime.batch_size)
        assert experience.regime.iterations == (batches if frozen == 4 else 3)
    image = tmp_path / "image.png"
    from PIL import Image

    Image.new("L", (16, 16), 128).save(image)
    ((answer,),) = classifying.predict(experience.model_dir, [str(image)])
    assert set(answer.probabilities) == {"0", "1", "2"}


def test_its_steps_are_timed(store: ArtifactStore, request_: Addition) -> None:
    zoo.add_backbone(store, request_)
    both = zoo.load_zoo(store)
    rows = list(zoo.profile(store, both, NAME, ((32, 8, -1), (32, 8, 3)), repeats=2, total_s=600))
    assert [row.frozen_stages for row in rows] == [-1, 3]
    times = zoo.step_times(store, rows[0].hardware)
    for row in rows:
        assert times.step_time_s(both.entry(NAME), 32, 8, row.frozen_stages, False) == row.step_s


def test_the_predictor_sees_what_it_is_and_not_its_name(
    store: ArtifactStore, request_: Addition
) -> None:
    """What was learned about a model applies to another with the same description."""
    entry = zoo.add_backbone(store, request_)
    meta = MetaFeatures(
        num_classes=5,
        num_images=500,
        mean_images_per_class=100.0,
        std_images_per_class=5.0,
        domain_similarity=0.9,
        landmark_accuracy=0.6,
    )
    regime = Regime(
        model=NAME,
        lr=0.1,
        frozen_stages=-1,
        iterations=100,
        batch_size=64,
        resolution=32,
        lr_schedule="cosine",
    )
    known = encode_regimes(meta, [entry], [regime])
    renamed = replace(entry, name="x", family="x", builder="x:y")
    assert (encode_regimes(meta, [renamed], [replace(regime, model="x")]) == known).all()
    better = replace(entry, source_accuracy=0.9)
    changed = np.flatnonzero(encode_regimes(meta, [better], [regime])[0] != known[0])
    names = {FEATURE_NAMES[place] for place in changed}
    assert names == {"source_accuracy", "defaults_log_odds"}


def test_an_unknown_model_leaves_the_store_as_it_was(store: ArtifactStore) -> None:
    with pytest.raises(UnknownName, match="did you mean torchvision:resnet18"):
        zoo.add_backbone(store, Addition(model="torchvison:resnet18"))
    assert store.list() == []
