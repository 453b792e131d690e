"""The page of a recommendation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from nasoa.records import Candidate, Reason, Recommendation
from nasoa.report.recommendation_page import recommendation_page


@pytest.fixture
def recommended(candidate: Candidate) -> Recommendation:
    return Recommendation(
        candidates=(candidate, dataclasses.replace(candidate, predicted_accuracy=0.6)),
        predictor_version=4,
        num_experiences=7,
        note="from 7 fine-tunes",
        used_s=2.0,
        reserve_s=1.0,
    )


def test_it_shows_the_candidates_in_their_order(
    recommended: Recommendation, check_page: Callable[[str], None]
) -> None:
    page = recommendation_page(recommended)
    check_page(page)
    assert "ET-NAS-A: predicted accuracy 0.710" in page
    assert "Chosen from 7 fine-tunes." in page
    assert "version 4 of the predictor" in page
    assert page.index(">0.710<") < page.index(">0.600<")


def test_names_and_notes_are_text(
    recommended: Recommendation, check_page: Callable[[str], None], evil: str
) -> None:
    first = recommended.candidates[0]
    named = dataclasses.replace(
        first,
        regime=dataclasses.replace(first.regime, model=evil),
        reasons=(Reason(feature=evil, gain=0.1),),
    )
    found = dataclasses.replace(recommended, candidates=(named,), note=evil)
    page = recommendation_page(found)
    check_page(page)
    assert "<script" not in page


def test_without_a_version_the_formula_ranks(recommended: Recommendation) -> None:
    page = recommendation_page(dataclasses.replace(recommended, predictor_version=0))
    assert "the default formula" in page
    assert "No candidates." in recommendation_page(dataclasses.replace(recommended, candidates=()))
