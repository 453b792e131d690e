"""The page about a task, and the Markdown beside the steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from nasoa.records import FITTED, Candidate, Experience
from nasoa.report.task_page import meta_features_markdown, regime_markdown, task_page


@pytest.mark.parametrize("num_classes", [2, 20, 45])
def test_it_tells_what_happened(
    make_experience: Callable[..., Experience],
    candidate: Candidate,
    check_page: Callable[[str], None],
    evil: str,
    num_classes: int,
) -> None:
    page = task_page(make_experience(evil, num_classes=num_classes), [candidate])
    check_page(page)
    for shown in (
        "accuracy 0.838",
        "0.710",
        "0.850",
        "0.128 better than predicted",
        "18.3 of 20 s",
        "stages 3, 4 and head",
        "lr 0.1, cosine; 321 x 64 images at 72 px",
        "pretrained on tinyimagenet200",
        "the time limit was near",
        "0.21 to 1.00",
        "version 4 of the predictor",
        "2026-01-02 03:04:05",
    ):
        assert shown in page
    assert ("classes with the most mistakes" in page) == (num_classes > 20)


def test_it_tells_of_a_passed_limit_and_an_unknown_ending(
    make_experience: Callable[..., Experience], check_page: Callable[[str], None], evil: str
) -> None:
    experience = dataclasses.replace(make_experience(), elapsed_s=23.0, ended=evil)
    page = task_page(experience, [])
    check_page(page)
    assert "23.0 of 20 s (over the limit)" in page
    assert "no candidates were stored" in page


def test_it_says_where_nothing_was_learned(
    make_experience: Callable[..., Experience], candidate: Candidate
) -> None:
    page = task_page(dataclasses.replace(make_experience(), predictor_version=0), [candidate])
    assert "the default formula" in page
    assert "version 0" not in page


def test_cached_features_are_said(
    make_experience: Callable[..., Experience], candidate: Candidate
) -> None:
    for frozen, said in ((3, "stage 4 and head, on cached features"), (4, "the head alone<")):
        regime = dataclasses.replace(
            candidate.regime, frozen_stages=frozen, cached_features=True, lr_schedule=FITTED
        )
        page = task_page(make_experience(), [dataclasses.replace(candidate, regime=regime)])
        assert said in page


def test_meta_features_are_a_table(make_experience: Callable[..., Experience], evil: str) -> None:
    text = meta_features_markdown(make_experience(evil).task)
    assert "<" not in text
    assert "![" not in text
    assert all(line.startswith("| ") or line == "| --- | --- |" for line in text.split("\n")[2:-1])
    for shown in ("80, 11, 12", "| 40.0 |", "| 1.5 |", "0.9100", "96 px", "| yes |", "20 s"):
        assert shown in text


def test_candidates_are_a_table_in_their_order(candidate: Candidate) -> None:
    second = dataclasses.replace(candidate, predicted_accuracy=0.654)
    text = regime_markdown([candidate, second], 4, 7, "from experience")
    assert (
        "Predictor version 4, which has learned from 7 fine-tunes. Chosen from experience" in text
    )
    first_row, second_row = text.strip().splitlines()[-2:]
    assert first_row.startswith("| 1 | ET-NAS-A |")
    assert "| 0.710 |" in first_row
    assert second_row.startswith("| 2 | ET-NAS-A |")
    assert "| 0.654 |" in second_row


def test_no_version_and_no_candidates_are_said() -> None:
    assert regime_markdown([], 0, 0, "from defaults").strip() == (
        "No predictor version yet. Chosen from defaults."
    )
