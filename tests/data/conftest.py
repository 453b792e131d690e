"""Synthetic images and data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


def noise(seed: int, height: int = 40, width: int = 48) -> Image.Image:
    """Return an RGB image of noise, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write images of noise: `make_folder({"cat": 5, "train/dog": 3})` returns their folder."""

    def make(counts: dict[str, int], name: str = "pets", suffix: str = ".png") -> Path:
        root = tmp_path / name
        root.mkdir()
        seed = 0
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True)
            for number in range(count):
                noise(seed).save(root / folder / f"{number}{suffix}")
                seed += 1
        return root

    return make
