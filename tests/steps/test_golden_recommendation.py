"""The first five recommendations of the packaged predictor for one fixed task.

If they change, what users get changes: check the difference before you update them with

    python -m tests.steps.test_golden_recommendation
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nasoa.records import MetaFeatures, Probe, Task
from nasoa.zoo.entries import packaged_zoo
from tests import steps_alone

GOLDEN = Path(__file__).with_name("golden_recommendation.json")
ACCURACIES = {
    "ET-NAS-A": 0.71,
    "efficientnet-lite0": 0.86,
    "efficientnet-lite2": 0.88,
}


def task() -> Task:
    """Return a task: some hundred photographs of ten classes, one minute on the step clock."""
    zoo = packaged_zoo()
    probes = tuple(
        Probe(
            model=name,
            resolution=zoo.entry(name).resolution,
            num_images=400,
            accuracy=accuracy,
            reference_accuracy=ACCURACIES["ET-NAS-A"],
            source=zoo.entry(name).source,
            source_accuracy=zoo.entry(name).source_accuracy,
            source_classes=zoo.entry(name).num_classes,
            model_resolution=zoo.entry(name).resolution,
        )
        for name, accuracy in ACCURACIES.items()
    )
    return Task(
        task_id="golden",
        data="golden",
        dataset="golden",
        time_limit_s=60.0,
        seed=0,
        class_names=tuple("abcdefghij"),
        num_train=800,
        num_val=90,
        num_test=220,
        resolution=224,
        meta_features=MetaFeatures(
            num_classes=10,
            num_images=800,
            mean_images_per_class=80.0,
            std_images_per_class=12.0,
            domain_similarity=0.92,
            landmark_accuracy=0.71,
        ),
        mirror_safe=True,
        used_s=3.0,
        clock="steps",
        hardware="reference",
        probes=probes,
    )


def recommended() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as store:
        found = steps_alone.predict_regime(task(), store, top=5)
    return [
        {
            "regime": asdict(candidate.regime),
            "predicted_accuracy": round(candidate.predicted_accuracy, 4),
            "interval": [round(bound, 3) for bound in candidate.interval],
        }
        for candidate in found.candidates
    ]


def test_the_package_recommends_what_it_did() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = recommended()
    assert [row["regime"] for row in found] == [row["regime"] for row in golden]
    for row, expected in zip(found, golden, strict=True):
        assert row["predicted_accuracy"] == pytest.approx(expected["predicted_accuracy"], abs=0.001)
        assert row["interval"] == pytest.approx(expected["interval"], abs=0.005)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(recommended(), indent=1) + "\n", encoding="utf-8")
