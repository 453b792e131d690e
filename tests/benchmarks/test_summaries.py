"""Summaries in files of results are those of the runs beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks import checkpoint_choice, head_crops, own_resolutions
from benchmarks.machine import RESULTS
from benchmarks.run_log import Row, RunLog

SUMMARIES: dict[str, tuple[Callable[[Sequence[Row]], dict[str, Any]], Sequence[str]]] = {
    "checkpoint_choice": (checkpoint_choice.summarise, checkpoint_choice.KEY),
    "head_crops": (head_crops.summarise, head_crops.KEY),
}


def leaves(value: object) -> list[object]:
    """Numbers in nested dictionaries and lists, in order."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for own in inner for leaf in leaves(own)]
    return [value]


def keys(value: object) -> list[str]:
    """Keys of nested dictionaries, in order."""
    if not isinstance(value, dict):
        return []
    return [key for name, own in value.items() for key in (name, *keys(own))]


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_file_has_the_summary_of_its_runs(name: str) -> None:
    summarise, key = SUMMARIES[name]
    ours = json.loads(json.dumps(summarise(RunLog(RESULTS / f"{name}.jsonl", key).rows)))
    found = json.loads((RESULTS / f"{name}.json").read_text())
    told = {part: found[part] for part in ours}
    assert keys(ours) == keys(told)
    assert leaves(ours) == pytest.approx(leaves(told), abs=1e-12)


def test_gains_over_the_own_resolution_are_over_sources_of_images() -> None:
    """Of data sets of the same images, the mean counts; a model that lacks one does not."""
    accuracies = {"x": (0.5, 0.7), "x_224": (0.5, 0.6), "y": (0.4, 0.45)}
    rows = [
        {"data": data, "model": "m", "resolution": resolution, "accuracy": accuracy}
        for data, both in accuracies.items()
        for resolution, accuracy in zip((64, 128), both, strict=True)
    ]
    alone = {"data": "z", "model": "m", "resolution": 64, "accuracy": 0.9}
    found = own_resolutions.gains([*rows, alone])
    assert list(found) == ["128"]
    assert found["128"]["mean"] == pytest.approx(0.1)
    assert found["128"]["interval_90"] == pytest.approx((0.05, 0.15))
