"""Figures in README and on the page of results are those of the files in benchmarks/results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plain_page, results_page
from benchmarks.results_files import is_measured
from benchmarks.transfer.plan import known_sets
from nasoa.online.adaptive_mlp.hedge_backpropagation import (
    anytime_regret_bound,
    best_constant,
    discount,
    regret_bound,
)

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def test_the_page_of_results_is_what_its_files_say() -> None:
    """Where it is not: python -m benchmarks.results_page."""
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page()
    for name, plot in results_page.plots().items():
        assert (results_page.PAGE.parent / name).read_text(encoding="utf-8") == plot


def result(name: str) -> Any:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def pretrained() -> list[str]:
    """Lowest and highest test accuracy of the package's own pretrainings."""
    cards = (ROOT / "nasoa" / "zoo" / "weights").glob("*.json")
    found = [json.loads(card.read_text()) for card in cards]
    own = [card["test_accuracy"] for card in found if card["test_accuracy"] is not None]
    return [f"{min(own):.2f}", f"{max(own):.2f}"]


def pretraining_images() -> list[str]:
    """Images and classes that the package's own networks were pretrained on."""
    cards = (ROOT / "nasoa" / "zoo" / "weights").glob("*.json")
    found = [json.loads(card.read_text()) for card in cards]
    own = [card for card in found if card["test_accuracy"] is not None]
    (images,) = {card["num_train"] for card in own}
    (classes,) = {card["entry"]["num_classes"] for card in own}
    return [f"{images:,}", str(classes)]


def compared_data_sets() -> list[str]:
    """Data sets on which nasoa is compared with plain programs, and sources of their images."""
    limits = result("against_plain.json")["limits"].values()
    (data_sets,) = {own["data_sets"] for own in limits}
    (sources,) = {own["sources"] for own in limits}
    return [str(data_sets), str(sources)]


def known_data_sets() -> list[str]:
    """Data sets of the collected runs; one that is there at two sizes counts once."""
    return [str(len(known_sets()))]


# A pattern whose groups are figures in README, and what they must be.
FIGURES: dict[str, Callable[[], list[str]]] = {
    r"their accuracy is ([\d.]+) to ([\d.]+)": pretrained,
    r"on ([\d,]+) images of Tiny ImageNet's (\d+) classes": pretraining_images,
    r"on (\d+) data sets of (\d+) sources": compared_data_sets,
    r"parts of (\d+) meta-training data sets": known_data_sets,
}
# Numbers with a point that are no measurements.
NO_FIGURES = r"Python 3\.\d+|Apache-2\.0|\bv?\d+\.\d+\.\d+\b"


@pytest.mark.parametrize("pattern", FIGURES)
def test_a_figure_of_readme_is_what_was_measured(pattern: str) -> None:
    found = re.findall(pattern, README)
    assert len(found) == 1
    told = found[0] if isinstance(found[0], tuple) else (found[0],)
    assert list(told) == FIGURES[pattern]()


def test_bounds_of_theorem_1() -> None:
    page = (ROOT / "docs" / "predictor.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page)
    assert len(rows) == 3
    for rounds, *told in rows:
        num = int(rounds.replace(",", ""))
        beta = discount(num, best_constant(10))
        bounds = (beta, regret_bound(10, num, beta), anytime_regret_bound(10, num))
        assert [float(text) for text in told] == pytest.approx(bounds, abs=5e-4)


@pytest.mark.parametrize("quoted", results_page.QUOTED, ids=lambda quoted: quoted.make.__name__)
def test_pages_hold_what_the_files_say(quoted: results_page.Quoted) -> None:
    """Where they do not, `python -m benchmarks.results_page` prints what they lack."""
    assert not quoted.is_missing(), f"{quoted.page} lacks:\n{quoted.make()}"


def test_a_page_that_lacks_what_a_file_says_is_noticed() -> None:
    made = plain_page.means()
    other = results_page.Quoted("README.md", lambda: made.replace("0.", "1."), plain_page.PLAIN)
    assert other.is_missing()
    assert not other._replace(needs="not_measured.json").is_missing()


def test_no_figure_of_readme_is_unchecked() -> None:
    text = README
    for quoted in results_page.QUOTED:
        if quoted.page == "README.md" and is_measured(quoted.needs):
            text = text.replace(quoted.make(), "")
    text = re.sub(r"(?ms)^```.*?^```|^    .*?$|`[^`]*`|\]\([^)]*\)", "", text)
    for pattern in (*FIGURES, NO_FIGURES):
        text = re.sub(pattern, "", text)
    assert re.findall(r".*\d[.,]\d.*", text) == []
