"""The section of docs/results.md on one-shot choice and tuning."""

from __future__ import annotations

from typing import Any

from benchmarks import final_page
from benchmarks.growth_plots import Curve


def record(method: str, budget: float | None, mean: float, **more: Any) -> dict[str, Any]:
    return {
        "limit": "t1",
        "method": method,
        "budget": budget,
        "cost": budget or 0.9,
        "data": {"flowers5": {"mean": mean, "std": 0.01, "seeds": 3}},
        "data_sets": 1,
        "mean": mean,
        "std_over_seeds": 0.02,
        "nasoa_ahead_by": 0.8 - mean,
        "nasoa_ahead_interval_90": None,
        **more,
    }


FOUND = {
    "machine": {"cpu": "a processor", "cores": 2},
    "seeds": [0, 1, 2],
    "limits_s": [
        {"limit": "t1", "data": "flowers5", "s": 12.5},
        {"limit": "t1", "data": "food101", "s": 40.0},
    ],
    "summary": [
        record("nasoa", None, 0.8),
        record("random:models", 1.0, 0.6, reaches_nasoa={"cost": None, "ratio": None}),
        record("random:models", 4.0, 0.7, reaches_nasoa={"cost": None, "ratio": None}),
        record("bohb:models", 4.0, 0.81, reaches_nasoa={"cost": 3.5, "ratio": 3.9}),
    ],
}


def test_the_section_has_our_figures_and_the_paper_s() -> None:
    text = final_page.section(FOUND)
    assert "over 3 seeds" in text
    assert "t1 12.5 to 40 s" in text
    assert (
        "| bohb:models | 4 | 4.00 | 0.8100 ± 0.0100 | 0.8100 ± 0.0200 | -0.0100 | 3.50 (3.9" in text
    )
    assert "| Our final NASOA | 1 | 82.54 | 80.3 | 88.2 | 92.3 |" in text
    assert "| BOHB | 40 | 77.2 |" in text


def test_the_plot_has_one_shot_choice_at_all_budgets() -> None:
    assert final_page.mean_accuracies(FOUND) == [
        Curve("nasoa, one shot", [(1.0, 0.8), (4.0, 0.8)]),
        Curve("random search", [(1.0, 0.6), (4.0, 0.7)]),
        Curve("BOHB", [(4.0, 0.81)]),
    ]
    assert final_page.PLOT.draw(FOUND).startswith("<svg")
