"""Figures in the guides, and what they say was not measured, against benchmarks/results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nasoa.online.collecting.starter import STATE, collected_runs

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MEASURED = {path.stem for path in RESULTS.glob("*.json")}
ORDERS = ("random_order", "group_by_group")
ADAPTIVE, FASTER = "Adaptive MLP", "Adaptive MLP (eta=0.1)"


def result(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def text_of(page: str) -> str:
    """A page as one line."""
    return " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def short(value: float, digits: int) -> str:
    """A fraction as the guides write it, without the zero before the point."""
    return f"{value:.{digits}f}".removeprefix("0")


# Tables of predictors.


@cache
def tables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("predictor_tables", "predictor_tables_collected"):
        found |= result(name)["tables"]
    return found


def errors(table: str, order: str) -> pd.Series:
    """Mean absolute errors of all predictors."""
    found = {own["name"]: own["mae"] for own in tables()[table]["error"][order]}
    return pd.Series(found)


def regrets(table: str) -> pd.Series:
    found = {own["name"]: own["regret"] for own in tables()[table]["selection"]["results"]}
    return pd.Series(found)


def sizes() -> list[str]:
    runs, soups, own = (tables()[name] for name in ("medquicktune", "model_soups", "collected"))
    first = [runs["rows"], runs["groups"], soups["rows"] // soups["groups"]]
    return [*map(str, [*first, soups["groups"], soups["rows"]]), f"{own['rows']:,}"]


def beside_extra_trees() -> list[str]:
    found = errors("medquicktune", "random_order")
    return [f"{found['default'] / found['extra_trees']:.2f}"]


def regret_on_collected() -> list[str]:
    lowest, second = regrets("collected").nsmallest(2)
    return [short(lowest, 3), short(second, 3)]


def regret_on_medquicktune() -> list[str]:
    found = regrets("medquicktune")
    return [short(found.min(), 3), short(found["default"], 3)]


def coverage_on_collected() -> list[str]:
    found = [tables()["collected"]["error"][order][0] for order in ORDERS]
    assert {own["name"] for own in found} == {"default"}
    return [f"{100 * own['coverage_90']:.0f}" for own in found]


def test_the_default_has_the_lowest_errors_but_for_one() -> None:
    lowest = {
        (table, order): errors(table, order).idxmin() for table in tables() for order in ORDERS
    }
    assert {key for key, name in lowest.items() if name != "default"} == {
        ("medquicktune", "random_order")
    }
    assert lowest["medquicktune", "random_order"] == "extra_trees"


def test_how_many_predictors_chose_better() -> None:
    counts = {name: int((regrets(name) < regrets(name)["default"]).sum()) for name in tables()}
    assert counts == {"medquicktune": 5, "model_soups": 7, "collected": 0}


def test_the_interval_holds_nine_of_ten_on_public_tables() -> None:
    for name in ("medquicktune", "model_soups"):
        for order in ORDERS:
            assert tables()[name]["error"][order][0]["coverage_90"] == pytest.approx(0.9, abs=0.006)


# Parts of the predictor.


def variants(table: str) -> dict[str, Any]:
    found: dict[str, Any] = result("predictor_ablation")["tables"][table]["variants"]
    return found


def without_hierarchical(table: str) -> list[float]:
    """By how many percent the errors are higher, in both orders."""
    whole, part = (variants(table)[name]["error"] for name in ("whole", "process alone"))
    return [100 * (part[order]["mae"] / whole[order]["mae"] - 1) for order in ORDERS]


def regret_without_hierarchical() -> list[str]:
    found = variants("medquicktune")
    return [short(found[name]["regret"], 3) for name in ("process alone", "whole")]


def test_what_the_parts_add() -> None:
    on_collected, on_runs, on_soups = map(
        without_hierarchical, ("collected", "medquicktune", "model_soups")
    )
    assert [round(2 * error) / 2 for error in on_collected] == [0.5, 1.0]
    assert on_runs[0] < 0 < on_runs[1]
    assert round(on_runs[1]) == 2
    assert max(on_soups) < 0
    regret = {
        (table, name): own["regret"]
        for table in ("collected", "medquicktune", "model_soups")
        for name, own in variants(table).items()
    }
    assert regret["collected", "process alone"] == regret["collected", "whole"]
    assert regret["model_soups", "process alone"] < regret["model_soups", "whole"]
    assert regret["model_soups", "without fallback"] < regret["model_soups", "whole"]
    assert regret["collected", "without fallback"] > regret["collected", "whole"]
    for table in ("collected", "medquicktune", "model_soups"):
        alone = (variants(table)[f"{name} alone"]["error"] for name in ("process", "hierarchical"))
        process, hierarchical = alone
        assert all(process[order]["mae"] < hierarchical[order]["mae"] for order in ORDERS)


# Table 3.


def stream(name: str, order: str) -> dict[str, Any]:
    found: dict[str, Any] = result("online_error")["streams"][name][order]
    return found


def best_fixed(name: str, order: str, segment: str = "all", measure: str = "mae") -> float:
    lines = stream(name, order).items()
    return min(own[segment][measure] for model, own in lines if model.startswith("Fixed"))


def adaptive(name: str, order: str, segment: str = "all", measure: str = "mae") -> float:
    return float(stream(name, order)[ADAPTIVE][segment][measure])


def rows_of_streams() -> list[str]:
    return [f"{own['rows']:,}" for own in result("online_error")["streams"].values()]


def on_collected() -> list[str]:
    order = ORDERS[0]
    lines = stream("collected", order)
    fixed = min(
        (model for model in lines if "Fixed" in model), key=lambda m: lines[m]["all"]["mae"]
    )
    deviations = [lines[model]["all"]["mae_deviation"] for model in (ADAPTIVE, fixed)]
    # A difference counts as more than the deviations if it exceeds the larger one.
    assert best_fixed("collected", order) - adaptive("collected", order) > max(deviations)
    found = [adaptive("collected", order), best_fixed("collected", order)]
    by_group = [adaptive("collected", ORDERS[1]), best_fixed("collected", ORDERS[1])]
    return [*(f"{v:.2f}" for v in found), *(short(v, 3) for v in deviations)] + [
        f"{v:.2f}" for v in by_group
    ]


def at_the_end() -> list[str]:
    return [
        f"{error('collected', order, '80-100 %'):.2f}"
        for order in ORDERS
        for error in (adaptive, best_fixed)
    ]


def last_weights() -> list[str]:
    found = stream("collected", ORDERS[0])[ADAPTIVE]["last_alpha"]
    assert found == sorted(found)  # more on the deep ones
    return [f"{min(found):.3f}", f"{max(found):.3f}"]


def squared_errors() -> list[str]:
    at = ("medquicktune_epochs", ORDERS[0], "all", "mse")
    return [f"{adaptive(*at):.1f}", f"{best_fixed(*at):.1f}"]


def test_where_the_papers_result_appears() -> None:
    for name, is_seen in {
        "medquicktune_epochs": True,
        "collected": True,
        "medquicktune": False,
        "model_soups": False,
    }.items():
        for order in ORDERS:
            assert (adaptive(name, order) < best_fixed(name, order)) is is_seen
            if is_seen:
                assert adaptive(name, order, "all", "mse") < best_fixed(name, order, "all", "mse")
                continue
            lines = stream(name, order).items()
            fixed = [own["all"]["mae"] for model, own in lines if model.startswith("Fixed")]
            assert adaptive(name, order) > max(fixed)
            alpha = stream(name, order)[ADAPTIVE]["last_alpha"]
            assert alpha == pytest.approx([0.1] * len(alpha), abs=2e-4)


def test_a_faster_rate_is_the_best_of_the_mlps_on_some_streams() -> None:
    cells = [("model_soups", order) for order in ORDERS] + [("collected", ORDERS[0])]
    for name, order in cells:
        faster = stream(name, order)[FASTER]["all"]["mae"]
        assert faster < min(adaptive(name, order), best_fixed(name, order))


# Other pages.


def left_out(name: str, factor: float, digits: int) -> list[str]:
    found = [own[name] for own in result("left_out_families")["families"].values()]
    texts = (f"{factor * value:.{digits}f}" for value in (min(found), max(found)))
    return [text.removeprefix("0") for text in texts]


def costs() -> list[dict[str, float]]:
    found: list[dict[str, float]] = result("exploration_cost")["costs"]
    return found


def loss_of_exploring() -> list[str]:
    shares = [own["more_regret"] / own["cost"] for own in costs() if own["cost"]]
    return [f"{100 * share:.0f}" for share in (min(shares), max(shares))]


def later_choices() -> list[str]:
    plain, *exploring = (own["regret_of_the_last_choices"] for own in costs())
    return [f"{value:.4f}" for value in (plain, min(exploring), max(exploring))]


def hypervolumes(space: str) -> list[str]:
    """Of the first evolved architectures and of random ones, from the page on searches."""
    page = (ROOT / "docs" / "search-results.md").read_text(encoding="utf-8")
    section = page.partition(f"## The {space} search")[2].partition("\n## ")[0]
    rows = {
        name: re.findall(rf"\| {name} \| (\d+) \| ([\d.]+) \|", section)[0]
        for name in ("evolved, the first", "random")
    }
    (evolved, random) = rows.values()
    assert evolved[0] == random[0]
    if space == "block":
        assert evolved[1] > random[1]
        return [evolved[1], random[1]]
    assert evolved[1] < random[1]
    return [evolved[1], random[1], evolved[0]]


# Page -> a pattern whose groups are figures, and what they must be.
FIGURES: dict[str, dict[str, Callable[[], list[str]]]] = {
    "predictor.md": {
        r"are (\d+) fine-tunes on (\d+) medical .*? (\d+) fine-tunes of CLIP on (\d+) test sets "
        r"\(model_soups, (\d+) rows\), and the ([\d,]+) records": sizes,
        r"it is ([\d.]+) times that of extra trees": beside_extra_trees,
        r"lowest on collected \((\.\d+), the next (\.\d+)\)": regret_on_collected,
        r"chose better \(the lowest (\.\d+) against (\.\d+)\)": regret_on_medquicktune,
        r"On collected it holds (\d+) and (\d+) %": coverage_on_collected,
        r"regret is higher \((\.\d+) instead of (\.\d+)\)": regret_without_hierarchical,
        r"medquicktune has (\d+) runs of .*? \(([\d,]+) rows\), model_soups (\d+) rows of .*? "
        r"first ([\d,]+) records": rows_of_streams,
        r"random order: ([\d.]+) against ([\d.]+) of the best fixed one, by more than the "
        r"deviations between seeds, (\.\d+) and (\.\d+) in this case; by group ([\d.]+) "
        r"against ([\d.]+)\)": on_collected,
        r"at the end, as in the paper \(([\d.]+) against ([\d.]+), and ([\d.]+) against "
        r"([\d.]+)\)": (at_the_end),
        r"weights of the depths are from ([\d.]+) to ([\d.]+), with more on the deep": last_weights,
        r"\(medquicktune_epochs, ([\d.]+) against ([\d.]+)\)": squared_errors,
        r"errors are from (\.\d+) to (\.\d+), and": lambda: left_out("predictor_error", 1, 3),
        r"holds from (\d+) to (\d+) % of them": lambda: left_out("coverage", 100, 0),
        r"has learned ([\d,]+) records, has ([\d.]+) MB": lambda: [
            f"{len(collected_runs()):,}",
            f"{STATE.stat().st_size / 1e6:.1f}",
        ],
    },
    "predictor_versions.md": {
        r"the package's ([\d,]+) records": lambda: [f"{len(collected_runs()):,}"],
    },
    "recommending.md": {
        r"between (\d+) and (\d+) % of the allowed cost": loss_of_exploring,
        r"\(([\d.]+) without exploration, ([\d.]+) to ([\d.]+) with it\)": later_choices,
    },
    "limits.md": {
        r"hypervolume of ([\d.]+) against ([\d.]+)\), and": lambda: hypervolumes("block"),
        r"behind it \(([\d.]+) against ([\d.]+), after (\d+) trainings\)": (
            lambda: hypervolumes("macro")
        ),
    },
}
CASES = [(page, pattern) for page, patterns in FIGURES.items() for pattern in patterns]


@pytest.mark.parametrize(("page", "pattern"), CASES)
def test_a_figure_of_a_guide_is_what_was_measured(page: str, pattern: str) -> None:
    found = re.findall(pattern, text_of(page))
    assert len(found) == 1
    told = found[0] if isinstance(found[0], tuple) else (found[0],)
    assert list(told) == FIGURES[page][pattern]()


def test_the_table_of_explorations() -> None:
    rows = re.findall(
        r"\| ([\d.]+) \| (\d+) % \| ([\d.]+) \| (?:([\d.]+), ([\d.]+) )?\|",
        text_of("recommending.md"),
    )
    assert rows == [
        (
            f"{own['cost']:g}",
            f"{100 * own['explored_share']:.0f}",
            f"{own['regret']:.4f}",
            *(
                f"{own[name]:.4f}" if own["cost"] else ""
                for name in ("more_regret", "standard_error")
            ),
        )
        for own in costs()
    ]


# What was not measured.


def outdated(text: str, measured: Iterable[str]) -> list[str]:
    """Items, rows and paragraphs that find no results where there is a file of them."""
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:- |\|))", text)
    named = [
        re.compile(rf"`(?:python -m )?benchmarks[./]{name}(?:\.py|/|`| )") for name in measured
    ]
    return [
        block
        for block in blocks
        if "no results yet" in " ".join(block.split()) and any(p.search(block) for p in named)
    ]


# A row of paper.md may name a benchmark with results beside one without: see test_paper.py.
GUIDES = [page for page in PAGES if page.name != "paper.md"]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_what_has_results_is_not_called_unmeasured(page: Path) -> None:
    assert outdated(page.read_text(encoding="utf-8"), MEASURED) == []


def test_what_is_wrongly_called_unmeasured_is_noticed() -> None:
    text = (
        "- The comparison (`benchmarks/final/`) has no\n  results yet.\n- `benchmarks/speed.py`.\n"
        "| Table 2 | `python -m benchmarks.step_time` | no results yet |\n\n"
        "`python -m benchmarks.task_features` measures it. It has no results yet.\n"
    )
    assert outdated(text, ()) == []
    assert len(outdated(text, ("final", "speed"))) == 1
    assert len(outdated(text, ("final", "step_time", "task_features", "speed"))) == 3


# Links.


def links() -> list[tuple[Path, str]]:
    found = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "results.md#" in link or "benchmarks/results/" in link:
                found.append((page, link))
    return found


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_to_results_lead_somewhere() -> None:
    assert len(links()) > 10
    for page, link in links():
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve()
        assert target.is_file(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"
