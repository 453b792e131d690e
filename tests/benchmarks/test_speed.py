"""Training from image files: each side runs on a few images, and the summary of synthetic runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torchvision")

from benchmarks import speed
from benchmarks.run_log import Row
from benchmarks.speed_run import Run, measure
from benchmarks.speed_sides import COLD, FEATURES, PLAIN, WARM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of noise, 24 images each."""
    root = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("test", 8)):
        for number in range(2 * count):
            path = root / split / f"class{number % 2}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return root


@pytest.mark.parametrize(
    ("side", "depth", "limit_s"),
    [(PLAIN, 3, 0.1), (WARM, 4, 5.0)],  # a head alone is done before the limit
)
def test_either_side_trains(folder: Path, side: str, depth: int, limit_s: float) -> None:
    run = Run(
        data=folder,
        network="mobilenet_v3_small",
        frozen_stages=depth,
        limit_s=limit_s,
        resolution=32,
        batch_size=8,
    )
    assert measure(run, side) > 0.0


def arguments() -> argparse.Namespace:
    return argparse.Namespace(
        data=Path("photos.zip"),
        networks=("ET-NAS-C",),
        depths=(-1, 3),
        limit=30.0,
        resolution=128,
        batch_size=64,
        repeats=2,
    )


def test_features_are_cached_only_where_stages_are_frozen() -> None:
    depths = {row["frozen_stages"] for row in speed.turns(arguments()) if row["side"] == FEATURES}
    assert depths == {3}
    assert FEATURES not in speed.sides_at(4)


def test_the_summary_compares_within_repeats() -> None:
    rates: dict[str, tuple[float, ...]] = {PLAIN: (10.0, 20.0), WARM: (30.0, 50.0), COLD: (20.0,)}
    rows: list[Row] = [
        {
            "data": "photos",
            "network": "ET-NAS-C",
            "frozen_stages": -1,
            "side": side,
            "repeat": repeat,
            "setting": speed.setting(arguments()),
            "images_per_s": rate,
            "code_version": "v",
        }
        for side, found in rates.items()
        for repeat, rate in enumerate(found)
    ]
    other = {**rows[0], "setting": "other", "images_per_s": 1e9}
    (case,) = speed.summarise([*rows, other], arguments())["rows"]
    assert case["images_per_s"] == {PLAIN: 15.0, WARM: 40.0, COLD: 20.0}
    assert case["times_as_fast"][f"{WARM} over {PLAIN}"]["median"] == 2.75
    assert case["times_as_fast"][f"{COLD} over {PLAIN}"]["median"] == 2.0
