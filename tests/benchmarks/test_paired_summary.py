"""Means, leads and intervals of synthetic accuracies."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.against_plain import ARMS, PLAIN_ARMS
from benchmarks.paired_summary import accuracies, bootstrap_interval, compare, means_of_sources
from benchmarks.results_files import result


def row(data: str, arm: str, accuracy: float, seed: int = 0, limit_s: float = 15.0) -> dict:
    return {"data": data, "arm": arm, "accuracy": accuracy, "seed": seed, "limit_s": limit_s}


def test_means_over_seeds_of_complete_data_sets() -> None:
    rows = [
        row("x", "nasoa", 0.8),
        row("x", "nasoa", 0.6, seed=1),
        row("x", "loop", 0.5),
        row("x", "loop", 0.7, seed=1),
        row("x", "loop", 0.1, limit_s=45.0),
        row("y", "nasoa", 0.9),  # its loop is missing
        row("z", "nasoa", 0.9),
        row("z", "nasoa", 0.9, seed=1),
        row("z", "loop", 0.9),  # seed 1 is missing
    ]
    table = accuracies(rows, 15.0, ("nasoa", "loop"))
    assert table == {"x": {"nasoa": pytest.approx(0.7), "loop": pytest.approx(0.6)}}


def test_no_runs_at_a_limit() -> None:
    assert accuracies([], 15.0, ("nasoa",)) == {}
    assert accuracies([row("x", "nasoa", 0.9)], 45.0, ("nasoa",)) == {}


def test_the_file_has_the_summary_of_its_runs() -> None:
    found = result("against_plain.json")
    for limit, told in found["limits"].items():
        table = accuracies(found["runs"], float(limit), ARMS)
        ours = {**compare(table, "nasoa", PLAIN_ARMS), "accuracy": table}
        assert set(ours) == set(told)
        for name, value in told.items():
            assert plain(ours[name]) == pytest.approx(plain(value)), name


def plain(value: object, *path: str) -> dict[tuple[str, ...], object]:
    """The leaves of nested dictionaries and sequences."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = dict(enumerate(value)).items()
    else:
        return {path: value}
    return {key: leaf for name, own in pairs for key, leaf in plain(own, *path, str(name)).items()}


def test_data_sets_of_the_same_images_count_once() -> None:
    leads = pd.Series({"b.zip": 0.1, "a.zip": 0.2, "b_224.zip": 0.3})
    assert means_of_sources(leads) == pytest.approx([0.2, 0.2])


def test_leads() -> None:
    table = {
        "x": {"nasoa": 0.9, "a": 0.7, "b": 0.8},
        "y": {"nasoa": 0.6, "a": 0.7, "b": 0.4},
    }
    found = compare(table, "nasoa", ("a", "b"))
    assert found["best_other"] == "a"
    assert found["mean_accuracy"]["a"] == pytest.approx(0.7)
    assert found["lead_over_best_other"] == pytest.approx(0.05)
    assert found["lead_by_data_set"]["x"] == {"over": "b", "lead": pytest.approx(0.1)}
    assert found["lead_by_data_set"]["y"] == {"over": "a", "lead": pytest.approx(-0.1)}
    low, high = found["interval_90"]
    # Of two values, a quarter of the resamples has only the first, a quarter only the second.
    assert (low, high) == (pytest.approx(-0.1), pytest.approx(0.2))


def test_interval_is_that_of_a_mean() -> None:
    values = [0.0, 1.0] * 50
    low, high = bootstrap_interval(values) or (0.0, 0.0)
    # Normal: 0.5 -+ 1.645 * 0.5 / sqrt(100).
    assert low == pytest.approx(0.418, abs=0.015)
    assert high == pytest.approx(0.582, abs=0.015)
    assert bootstrap_interval([0.3]) is None
