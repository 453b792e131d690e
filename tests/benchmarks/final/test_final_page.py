"""The section of docs/results.md on one-shot choice and tuning, and README's table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks import final_page
from benchmarks.final.goals import goals
from benchmarks.growth_plots import Curve


def record(
    method: str, mean: float, budget: float | None = None, limit: str = "t1", **more: Any
) -> dict[str, Any]:
    return {
        "limit": limit,
        "method": method,
        "budget": budget,
        "cost": budget or 0.9,
        "data": {"flowers5": {"mean": mean, "std": 0.01, "seeds": 3}},
        "data_sets": 2,
        "of_data_sets": 2,
        "mean": mean,
        "std_over_seeds": 0.02,
        "nasoa_ahead_by": round(0.8 - mean, 4),
        "nasoa_ahead_interval_90": None,
        **more,
    }


NEVER = {"cost": None, "ratio": None}
FOUND: dict[str, Any] = {
    "machine": {"cpu": "a processor", "cores": 2},
    "seeds": [0, 1, 2],
    "models": {"ET-NAS": ["ET-NAS-A", "ET-NAS-B"], "regnet": ["regnet_y_400mf"]},
    "limits_s": [
        {"limit": "t1", "data": "flowers5", "s": 10.0},
        {"limit": "t1", "data": "food101", "s": 40.0},
    ],
    "does_not_fit": [],
    "unfinished": [],
    "over_the_limit": [],
    "summary": [
        record("nasoa", 0.8),
        record("paper", 0.9, data_sets=1),
        record("default:ET-NAS", 0.75),
        record("default:ET-NAS (upper bound)", 0.78),
        record("default:regnet", 0.7, data_sets=1),
        record("default:all", 0.76, nasoa_ahead_interval_90=[-0.01, 0.09]),
        record("random:models", 0.6, 1.0, reaches_nasoa=NEVER),
        record("random:models", 0.7, 4.0, reaches_nasoa=NEVER),
        record("bohb:models", 0.9, 1.0, data_sets=1, reaches_nasoa=NEVER),
        record("bohb:models", 0.81, 4.0, reaches_nasoa={"cost": 3.5, "ratio": 3.9}),
    ],
}


def longer() -> list[dict[str, Any]]:
    """The same records at a limit of four times as many seconds, with higher accuracies."""
    later = [{**own, "limit": "t2", "mean": own["mean"] + 0.05} for own in FOUND["summary"]]
    return [*FOUND["summary"], *later]


TWO_LIMITS = {
    **FOUND,
    "limits_s": [
        *FOUND["limits_s"],
        *({**own, "limit": "t2", "s": 4 * own["s"]} for own in FOUND["limits_s"]),
    ],
    "summary": longer(),
}


def test_the_section_has_our_figures_and_the_paper_s() -> None:
    text = final_page.section(FOUND)
    assert "over 3 seeds" in text
    assert "t1 10 to 40 s" in text
    assert (
        "| bohb:models | 4 | 4.00 | 0.8100 ± 0.0100 | 0.8100 ± 0.0200 (2 sets) | -0.0100 "
        "| 3.50 (3.9" in text
    )
    assert "| Our final NASOA | 1 | 82.54 | 80.3 | 88.2 | 92.3 |" in text
    assert "| BOHB | 40 | 77.2 |" in text
    assert "All methods fit all limits, and no fine-tune ended after its limit." in text
    for file, plot in final_page.PLOTS.items():
        assert f"![{plot.title}]({file})" in text


def test_what_does_not_fit_and_what_is_late_is_listed() -> None:
    def row(data: str, method: str, **more: Any) -> dict[str, Any]:
        return {"limit": "t1", "data": data, "seed": 0, "method": method, **more}

    late = [row("food101", "nasoa", over_s=0.12), row("flowers5", "nasoa", over_s=0.05)]
    text = final_page.section(
        {
            **FOUND,
            "does_not_fit": [row("food101", "default:regnet", why="too short")],
            "unfinished": [row("food101", "tpe:models", spent=2.0, budget=4.0)],
            "over_the_limit": late,
        }
    )
    assert "| Does not fit | t1 | default:regnet | food101 | 1 |" in text
    assert "| Not finished | t1 | tpe:models | food101 | 1 |" in text
    assert (
        "| Ended after the limit (by 0.12 s at most) | t1 | nasoa | flowers5, food101 | 2 |" in text
    )


def test_goals() -> None:
    lines = {what: rest for what, *rest in goals(FOUND, "t1")}
    assert lines["the best default of ET-NAS"] == ["t1", "+0.050", "", "yes"]
    assert lines["the best default of regnet"] == ["t1", "+0.100", "", "yes, on 1 of 2 sets"]
    tuned = "of models and hyperparameters"
    assert lines[f"random search {tuned}, 4 limits"][-1] == "yes"
    assert lines[f"BOHB {tuned}, 4 limits"] == ["t1", "-0.010", "", "no"]
    assert lines["BOHB of hyperparameters, 1 limit"] == ["t1", "", "", "not measured"]
    assert lines["the paper's method"][-1] == "no, on 1 of 2 sets"
    text = final_page.section(TWO_LIMITS)
    assert "Met are 6 of 22." in text


def test_the_plot_over_costs_has_one_shot_choice_at_all_budgets() -> None:
    """BOHB at once the limit is over one of two data sets, so it is not drawn."""
    expected = [
        Curve("nasoa, one shot", [(1.0, 0.8), (4.0, 0.8)]),
        Curve("random search", [(1.0, 0.6), (4.0, 0.7)]),
        Curve("BOHB", [(4.0, 0.81)]),
    ]
    assert final_page.over_costs(FOUND) == expected
    assert final_page.over_costs(TWO_LIMITS) == expected


def test_the_plot_over_limits_has_the_best_default_of_each_series() -> None:
    """RegNet does not fit one of two data sets."""
    assert final_page.over_limits(FOUND) == [
        Curve("nasoa", [(pytest.approx(20.0), 0.8)]),
        Curve("ET-NAS", [(pytest.approx(20.0), 0.78)]),
    ]
    nasoa, series = final_page.over_limits(TWO_LIMITS)
    assert [value for point in nasoa.points for value in point] == pytest.approx(
        [20.0, 0.8, 80.0, 0.85]
    )
    assert len(series.points) == 2


@pytest.mark.parametrize("found", [FOUND, TWO_LIMITS])
@pytest.mark.parametrize("file", final_page.PLOTS)
def test_plots_are_drawn_with_one_limit_and_with_two(found: dict[str, Any], file: str) -> None:
    plot = final_page.PLOTS[file]
    assert plot.has(found)
    elements = list(ET.fromstring(plot.draw(found)).iter())
    curves = plot.curves(found)
    points = sum(len(curve.points) for curve in curves)
    assert sum(str(e.get("class")).startswith("dot") for e in elements) == points
    key = [e.text for e in elements if e.get("class") == "mark"]
    for name, curve in zip(key, curves, strict=True):
        value = f": {curve.points[0][1]:.3g}" if len(curve.points) == 1 else ""
        assert name == f"{curve.name}{value}"


def test_nothing_is_plotted_before_nasoa_has_run() -> None:
    found = {**FOUND, "summary": []}
    assert final_page.over_costs(found) == []
    assert not any(plot.has(found) for plot in final_page.PLOTS.values())


def test_the_table_of_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_page, "result", lambda _name: TWO_LIMITS)
    lines = final_page.means().splitlines()
    assert lines[0] == (
        "| limit | nasoa | the paper's method | best default | random search, 1 limit "
        "| random search, 4 limits | BOHB, 1 limit | BOHB, 4 limits |"
    )
    assert lines[2] == (
        "| 10 to 40 s | 0.800 | 0.900 (1 of 2 sets) | 0.760 | 0.600 | 0.700 "
        "| 0.900 (1 of 2 sets) | 0.810 |"
    )
    assert lines[3].startswith("| 40 to 160 s | 0.850 |")
