"""Pages in the sandboxed frame of the pipelines' user interface, if there is a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nasoa.offline.search import progress
from nasoa.records import Candidate, Experience
from nasoa.report.search_page import search_page
from nasoa.report.task_page import task_page
from tests.report.frame import chromium, shown
from tests.report.test_search_page import CONFIG, evaluation

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
