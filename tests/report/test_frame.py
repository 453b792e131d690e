"""Pages in the sandboxed frame of the pipelines' user interface, if there is a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.offline.search import progress
from nasoa.records import Candidate, Experience, Recommendation
from nasoa.report.contents import StoreContents
from nasoa.report.model_page import model_page
from nasoa.report.recommendation_page import recommendation_page
from nasoa.report.search_page import search_page
from nasoa.report.store_page import store_page
from nasoa.report.task_page import task_page
from tests.evaluations import evaluation
from tests.random_model import random_model
from tests.report.frame import chromium, shown
from tests.report.test_search_page import CONFIG

FRAME_WIDTH = 1000


@pytest.fixture
def browser() -> str:
    found = chromium()
    if found is None:
        pytest.skip("chromium is not installed, so no page can be opened")
    return found


def test_a_task_is_shown_in_the_frame(
    make_experience: Callable[..., Experience],
    candidate: Candidate,
    evil: str,
    browser: str,
    tmp_path: Path,
) -> None:
    found = shown(task_page(make_experience(evil), [candidate]), tmp_path, browser)
    for text in (evil, "0.838", "ET-NAS-A", "18.3 of 20 s"):
        assert text in found["text"]
    # The sandbox is active, and the page loads nothing.
    assert (found["origin"], found["cookies"]) == ("null", "SecurityError")
    assert found["requests"] == []
    assert found["width"] <= FRAME_WIDTH
    assert max(found["drawings"]) > 200


def test_a_search_is_shown_in_a_narrow_frame(browser: str, tmp_path: Path) -> None:
    evaluations = [evaluation(f"{i}- 16 1-2-21-2", 10.0 * i + 1, 0.1 * i + 0.2) for i in range(4)]
    generations = [[e.encoding for e in evaluations]]
    rows = progress(CONFIG, generations, {e.encoding: e for e in evaluations})
    page = search_page("blocks", CONFIG, evaluations, rows)
    found = shown(page, tmp_path, browser, width=480)
    assert "3- 16 1-2-21-2" in found["text"]
    assert found["width"] <= 480
    assert max(found["drawings"]) > 200


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("long_name", [False, True])
@pytest.mark.parametrize(
    ("scheme", "background"),
    [(0, "rgb(22, 26, 34)"), (1, "rgb(255, 255, 255)")],
    ids=["dark", "light"],
)
def test_a_report_fits_its_frame_and_follows_the_colour_scheme(
    make_contents: Callable[..., StoreContents],
    evil: str,
    browser: str,
    tmp_path: Path,
    width: int,
    long_name: bool,
    scheme: int,
    background: str,
) -> None:
    name = "x" * 300 if long_name else evil
    # What is folded is laid out only when it is open.
    page = store_page(make_contents(name, count=30)).replace("<details>", "<details open>")
    flag = f"--blink-settings=preferredColorScheme={scheme}"
    found = shown(page, tmp_path, browser, width=width, flags=[flag])
    assert name in found["text"]
    for section in (
        "Fine-tunes",
        "Experience",
        "Costs",
        "Energy",
        "Zoo",
        "Searches",
        "Failed runs",
    ):
        assert section in found["text"]
    assert found["width"] <= width
    assert found["requests"] == []
    # Text of 12 units in a chart of 400 is readable, and charts are not blown up either.
    assert 300 < min(found["drawings"]) <= max(found["drawings"]) < 500
    assert found["background"] == background
    # Contrast of at least 4.5 to 1, as WCAG 2 (1.4.3) asks of text.
    assert min(found["contrasts"].values()) >= 4.5, found["contrasts"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_pages_of_a_notebook_fit_their_frame(
    candidate: Candidate, evil: str, browser: str, tmp_path: Path, width: int, scheme: int
) -> None:
    recommended = Recommendation(
        candidates=(candidate,) * 5,
        predictor_version=4,
        num_experiences=7,
        note=evil,
        used_s=2.0,
        reserve_s=1.0,
    )
    _files, card = random_model([f"{evil} {number}" for number in range(30)])
    confusion = tuple(tuple(5 if i == j else 1 for j in range(30)) for i in range(30))
    pages = {
        "recommendation": recommendation_page(recommended),
        "model": model_page(replace(card, dataset=evil, confusion=confusion)),
    }
    for kind, page in pages.items():
        folder = tmp_path / kind
        folder.mkdir()
        flag = f"--blink-settings=preferredColorScheme={scheme}"
        found = shown(page, folder, browser, width=width, flags=[flag])
        assert evil in found["text"]
        assert found["width"] <= width
        assert found["requests"] == []
        assert min(found["contrasts"].values()) >= 4.5, found["contrasts"]
