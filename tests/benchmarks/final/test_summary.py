"""The summary of synthetic runs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.final.summary import (
    SLACK,
    at_budgets,
    curves,
    frame_of,
    reach,
    summarise,
    unfinished,
)
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


def test_a_first_fine_tune_that_ends_just_after_its_limit_counts() -> None:
    """As it does for methods that train once; the next one begins, and ends too late."""
    late = [
        run("random:models", 0, 0.5, 0.55, elapsed_s=10.0 + 5 * SLACK),
        run("random:models", 1, 0.6, 0.65, elapsed_s=10.0),
    ]
    held = at_budgets(curves(frame_of(late, SERIES)), {"random": (1.0,)})
    assert held["accuracy"].to_list() == [0.55]
    late[0]["elapsed_s"] = 10.0 + 20 * SLACK
    assert at_budgets(curves(frame_of(late, SERIES)), {"random": (1.0,)}).empty


def test_a_search_counts_at_a_budget_once_it_has_spent_it() -> None:
    rows = [*search(), *search(seed=1)[:2]]
    held = at_budgets(curves(frame_of(rows, SERIES)), MULTIPLES)
    assert held[["seed", "budget"]].to_numpy().tolist() == [[0, 1.0], [1, 1.0], [0, 4.0]]
    assert unfinished(rows, SERIES, MULTIPLES) == [
        {
            "limit": "t1",
            "data": "x",
            "seed": 1,
            "method": "random:models",
            "spent": 1.6,
            "budget": 4.0,
        }
    ]
    assert unfinished(search(), SERIES, MULTIPLES) == []
    assert unfinished([run("nasoa", 0, 0.5, 0.5)], SERIES, MULTIPLES) == []


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


def in_both_seeds(method: str, accuracies: dict[str, float]) -> list[dict[str, Any]]:
    return [
        run(method, 0, 0.5, accuracy + off, data=data, seed=seed)
        for data, accuracy in accuracies.items()
        for seed, off in ((0, 0.1), (1, -0.1))
    ]


def test_means_and_leads_are_over_data_sets_that_both_have_with_all_seeds() -> None:
    """The paper's method does not fit z, the hardest, and lacks a seed on y."""
    rows = [
        *in_both_seeds("nasoa", {"w": 0.8, "x": 0.7, "y": 0.6, "z": 0.2}),
        run("nasoa", 0, 0.5, 0.9, data="unfinished"),
        *in_both_seeds("paper", {"w": 0.6, "x": 0.6, "y": 0.6})[:-1],
        run("paper", 0, 0.5, 0.9, data="unfinished"),
        run("zoo", 0, 0.5, 0.9, data="z"),
    ]
    nasoa, paper, zoo = summarise(rows, SERIES, MULTIPLES)
    assert nasoa["data"]["x"] == {"mean": 0.7, "std": pytest.approx(0.1414), "seeds": 2}
    assert (nasoa["data_sets"], nasoa["of_data_sets"], nasoa["mean"]) == (4, 4, 0.575)
    assert nasoa["std_over_seeds"] == pytest.approx(0.1414)
    assert "reaches_nasoa" not in nasoa
    assert (paper["data_sets"], paper["of_data_sets"], paper["mean"]) == (2, 4, 0.6)
    assert paper["nasoa_ahead_by"] == pytest.approx(0.15)
    assert paper["nasoa_ahead_interval_90"] == pytest.approx([0.1, 0.2])
    assert (zoo["data_sets"], zoo["mean"], zoo["nasoa_ahead_by"]) == (0, None, None)
    lines = markdown([nasoa, paper, zoo]).splitlines()
    assert "| 0.5750 ± 0.1414 (4 sets) |" in lines[4]
    assert "| 0.6000 ± 0.1414 (2 of 4 sets) | +0.1500 (+0.1000 to +0.2000) |" in lines[5]


def test_the_interval_is_over_sources_of_images() -> None:
    rows = [
        *in_both_seeds("nasoa", {"a.zip": 0.8, "a_224.zip": 0.6}),
        *in_both_seeds("paper", {"a.zip": 0.6, "a_224.zip": 0.6}),
    ]
    _, paper = summarise(rows, SERIES, MULTIPLES)
    assert paper["nasoa_ahead_by"] == pytest.approx(0.1)
    assert paper["nasoa_ahead_interval_90"] is None


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
    assert lines[4] == "| nasoa |  | 1.00 | 0.6000 | 0.5000 | 0.5500 (2 sets) |  |  |"
    assert lines[5] == (
        "| random:models | 1 | 0.60 | 0.5500 |  | 0.5500 (1 of 2 sets) | +0.0500 | not |"
    )
    assert lines[6] == (
        "| random:models | 4 | 3.60 | 0.6500 |  | 0.6500 (1 of 2 sets) | -0.0500 "
        "| 3.60 (3.6 times) |"
    )
