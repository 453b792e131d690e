"""A small data set that any classifier should learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"blue": (40, 60, 210), "red": (210, 60, 40)}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of noisy 32 px images of one colour, 40 for training and 10 for test each."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for split, count in (("train", 40), ("test", 10)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                noise = rng.normal(0, 25, (32, 32, 3))
                pixels = (np.asarray(colour) + noise).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder
