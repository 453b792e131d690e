"""How a network is chosen among its siblings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import sibling_probes
from benchmarks.sibling_probes import MODELS, PROBED, measure, summarise
from nasoa.data import load_dataset
from nasoa.zoo.entries import packaged_zoo


def rows(data: str, accuracies: list[float], probes: list[float]) -> list[dict[str, object]]:
    return [
        {
            "data": data,
            "model": model,
            "accuracy": accuracy,
            **{f"probe_{count}": probe for count in PROBED},
        }
        for model, accuracy, probe in zip(MODELS, accuracies, probes, strict=True)
    ]


def test_each_way_of_choosing_has_its_own_accuracy() -> None:
    found = summarise(
        [*rows("a", [0.5, 0.6, 0.7], [0.1, 0.9, 0.2]), *rows("b", [0.9, 0.8, 0.7], [0.9, 0.1, 0.2])]
    )
    means = found["mean_accuracy"]
    assert means["always efficientnet-lite0"] == pytest.approx(0.7)
    assert means["best probe of 150 images"] == pytest.approx(0.75)
    assert means["best on the test images"] == pytest.approx(0.8)
    leads = found["lead_over_the_largest"]
    assert leads["best probe of 900 images"]["mean"] == pytest.approx(0.05)
    assert leads["always efficientnet-lite2"] == {"mean": 0.0, "interval_90": (0.0, 0.0)}


@pytest.mark.slow
def test_heads_and_probes_of_real_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("blue", (40, 60, 210)), ("red", (210, 60, 40))):
        for split, count in (("train", 30), ("test", 10)):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = np.asarray(colour) + rng.normal(0, 25, (32, 32, 3))
                Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr(sibling_probes, "RESOLUTION", 64)
    found = measure(packaged_zoo(), load_dataset(str(tmp_path), seed=0))
    assert [row["model"] for row in found] == list(MODELS)
    assert all(row["accuracy"] >= 0.9 for row in found)
    assert all(row["probe_150"] >= 0.9 for row in found)
