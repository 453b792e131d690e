"""Images are given to a saved model as its training images were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasoa.online.tuning.saved_model import CARD_FILE
from nasoa.records import to_sealed_json
from nasoa.steps.classifying import predict
from tests.random_model import random_model


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "photograph.png"
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(path)
    return path


def saved(folder: Path, stored_resolution: int) -> str:
    """Save a model for 64 px, of training images that were stored at another size."""
    files, card = random_model(["cat", "dog", "owl"], resolution=64)
    card = replace(card, stored_resolution=stored_resolution)
    folder.mkdir()
    for name, content in {**files, CARD_FILE: to_sealed_json(card)}.items():
        (folder / name).write_bytes(content)
    return str(folder)


def probabilities(model_dir: str, image: Path) -> list[float]:
    ((answer,),) = predict(model_dir, [str(image)])
    return list(answer.probabilities.values())


def test_a_photograph_is_as_sharp_as_training_images_were(tmp_path: Path, photograph: Path) -> None:
    """If these were stored at 32 px and enlarged, so is a larger photograph."""
    small = tmp_path / "small.png"
    Image.open(photograph).resize((32, 32), Image.Resampling.BILINEAR).save(small)
    of_small_images = saved(tmp_path / "of_small", 32)
    direct = saved(tmp_path / "direct", 0)  # as in models of earlier releases
    found = probabilities(of_small_images, photograph)
    assert found == pytest.approx(probabilities(of_small_images, small), abs=0.02)
    assert found != pytest.approx(probabilities(direct, photograph), abs=0.02)
    of_large_images = saved(tmp_path / "of_large", 224)
    assert probabilities(of_large_images, photograph) == probabilities(direct, photograph)
