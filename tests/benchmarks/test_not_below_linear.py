"""The comparison with a linear classifier, and the classifier itself on a small data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.model_features import PENALTIES, linear_classifier
from benchmarks.not_below_linear import NOTICED, comparison, run_model, summarise
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo


def test_standard_errors_are_those_of_paired_answers() -> None:
    linear = torch.tensor([True] * 60 + [False] * 40)
    tuned = linear.clone()
    tuned[55:65] = ~linear[55:65]  # five lost, five gained
    found = comparison(tuned, linear)
    assert found["linear_accuracy"] == pytest.approx(0.6)
    assert found["linear_standard_error"] == pytest.approx((0.24 / 99) ** 0.5)
    assert found["lead"] == pytest.approx(0.0)
    assert found["lead_standard_error"] == pytest.approx((0.1 / 99) ** 0.5)


def test_only_clear_differences_are_below() -> None:
    where = {"cpu": "c", "code_version": "v"}
    key = {"data": "x", "limit_s": 15.0, "seed": 0, "model": "m", **where}
    behind = {**key, "lead": -0.05, "lead_standard_error": 0.02}
    noise = {**key, "lead": -0.03, "lead_standard_error": 0.02}
    found = summarise([behind, noise])
    assert [row["lead"] for row in found["below_linear"]] == [-0.05]
    assert found["runs"] == [behind, noise]


@pytest.mark.usefixtures("one_core")
def test_linear_classifier_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("blue", (40, 60, 210)), ("red", (210, 60, 40))):
        for split, count in (("train", 20), ("test", 8)):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = np.asarray(colour) + rng.normal(0, 25, (32, 32, 3))
                pixels = noise.clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    correct, c = linear_classifier(packaged_zoo(), REFERENCE_MODEL, str(tmp_path), 0, 64)
    assert correct.shape == (16,)
    assert correct.double().mean() >= 0.9
    assert c in PENALTIES


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(packaged_zoo().buildable().entries))
def test_every_model_is_used_as_well_as_its_features_allow(model: str) -> None:
    """The benchmark in short: one small data set, one limit, on the step clock."""
    data = "sklearn:digits:per_class=80"
    found = run_model(model, data, 8.0, 0, ("--clock", "steps"))
    assert found["linear_accuracy"] > 0.7
    assert found["lead"] >= -NOTICED * found["lead_standard_error"]
