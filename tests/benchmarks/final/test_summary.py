"""The summary of synthetic runs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.final.summary import at_budgets, curves, frame_of, reach, summarise
from benchmarks.final.table import markdown

SERIES = {"ET-NAS": ("A", "B"), "regnet": ("R",)}
MULTIPLES = {"random": (1.0, 4.0)}


def run(method: str, number: int, val: float, accuracy: float, **fields: Any) -> dict[str, Any]:
    return {
        "data": "x",
        "limit": "t1",
        "limit_s": 10.0,
        "seed": 0,
        "method": method,
        "number": number,
        "val_accuracy": val,
        "accuracy": accuracy,
        "elapsed_s": 10.0,
        "fits": True,
        **fields,
    }


def search(**fields: Any) -> list[dict[str, Any]]:
    """The third fine-tune is the best by validation, the second by test; the fourth is too late."""
    return [
        run("random:models", 0, 0.5, 0.55, elapsed_s=6.0, **fields),
        run("random:models", 1, 0.4, 0.90, elapsed_s=10.0, **fields),
        run("random:models", 2, 0.7, 0.65, elapsed_s=20.0, **fields),
        run("random:models", 3, 0.9, 0.95, elapsed_s=10.0, **fields),
    ]


def test_validation_decides_what_is_held() -> None:
    curve = curves(frame_of(search(), SERIES))
    assert curve["accuracy"].to_list() == [0.55, 0.55, 0.65, 0.95]
    assert curve["multiple"].to_list() == pytest.approx([0.6, 1.6, 3.6, 4.6])


def test_a_search_counts_what_ends_within_its_budget() -> None:
    held = at_budgets(curves(frame_of(search(), SERIES)), MULTIPLES)
    assert held["budget"].to_list() == [1.0, 4.0]
    assert held["accuracy"].to_list() == [0.55, 0.65]
    assert held["multiple"].to_list() == pytest.approx([0.6, 3.6])


def test_runs_are_kept_apart() -> None:
    rows = search() + search(seed=1) + search(data="y") + search(limit="t2", limit_s=20.0)
    curve = curves(frame_of(rows, SERIES))
    assert len(curve) == 16
    assert curve.groupby(["data", "limit", "seed"])["multiple"].max().to_list() == pytest.approx(
        [4.6, 4.6, 2.3, 4.6]
    )


def test_a_series_is_its_best_model_by_validation_and_by_test() -> None:
    rows = [
        run("default:A", 0, 0.6, 0.50),
        run("default:B", 0, 0.5, 0.70),
        run("default:R", 0, 0.8, 0.55),
    ]
    found = {r["method"]: r for r in summarise(rows, SERIES, MULTIPLES)}
    assert {name: record["mean"] for name, record in found.items()} == {
        "default:ET-NAS": 0.5,
        "default:ET-NAS (upper bound)": 0.7,
        "default:regnet": 0.55,
        "default:all": 0.55,
        "default:all (upper bound)": 0.7,
    }
    assert found["default:ET-NAS"]["cost"] == 2.0
    assert found["default:all"]["cost"] == 3.0


def test_a_lead_is_over_common_runs_only() -> None:
    rows = [
        run("nasoa", 0, 0.5, 0.8),
        run("nasoa", 0, 0.5, 0.6, seed=1),
        run("nasoa", 0, 0.5, 0.4, data="y"),
        run("paper", 0, 0.5, 0.7),
        run("paper", 0, 0.5, 0.3, data="y"),
    ]
    nasoa, paper = summarise(rows, SERIES, MULTIPLES)
    assert nasoa["data"]["x"] == {"mean": 0.7, "std": pytest.approx(0.1414), "seeds": 2}
    assert nasoa["data_sets"] == 1  # y lacks a seed
    assert nasoa["mean"] == 0.7
    assert nasoa["std_over_seeds"] == pytest.approx(0.1414)
    assert paper["nasoa_ahead_by"] == pytest.approx(0.1)
    assert paper["nasoa_ahead_interval_90"] == pytest.approx([0.1, 0.1])
    assert "reaches_nasoa" not in nasoa


def test_cost_at_which_a_search_reaches_nasoa() -> None:
    """The mean of both seeds is nasoa's after 3.6 limits, though one seed is there after 0.6."""
    rows = [
        run("nasoa", 0, 0.5, 0.55, elapsed_s=9.0),
        run("nasoa", 0, 0.5, 0.65, elapsed_s=9.0, seed=1),
        *search(),
        *search(seed=1),
    ]
    curve = curves(frame_of(rows, SERIES))
    found = reach(curve, "random:models")
    assert found["cost"] == pytest.approx(3.6)
    assert found["ratio"] == pytest.approx(4.0)
    assert found["by_data"] == {"x": pytest.approx(3.6)}
    assert reach(curve, "random:models", 1.0) == {
        "cost": None,
        "ratio": None,
        "by_data": {"x": None},
    }


def test_a_search_without_a_seed_of_nasoa_is_not_compared() -> None:
    rows = [run("nasoa", 0, 0.5, 0.5), run("nasoa", 0, 0.5, 0.5, seed=1), *search()]
    assert reach(curves(frame_of(rows, SERIES)), "random:models")["by_data"] == {}


def test_what_does_not_fit_is_left_out() -> None:
    rows = [run("nasoa", 0, 0.5, 0.5), {**search()[0], "fits": False, "val_accuracy": None}]
    assert [r["method"] for r in summarise(rows, SERIES, MULTIPLES)] == ["nasoa"]


def test_table() -> None:
    rows = [run("nasoa", 0, 0.5, 0.6), run("nasoa", 0, 0.5, 0.5, data="y"), *search()]
    lines = markdown(summarise(rows, SERIES, MULTIPLES)).splitlines()
    assert lines[0] == "Limit t1"
    assert lines[4] == "| nasoa |  | 1.00 | 0.6000 | 0.5000 | 0.5500 |  |  |"
    assert lines[5] == "| random:models | 1 | 0.60 | 0.5500 |  | 0.5500 | +0.0500 | not |"
    assert (
        lines[6] == "| random:models | 4 | 3.60 | 0.6500 |  | 0.6500 | -0.0500 | 3.60 (3.6 times) |"
    )
