"""The page of a saved model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nasoa.report.model_page import model_page
from tests.random_model import random_model


def test_it_shows_data_regime_accuracy_and_confusion(check_page: Callable[[str], None]) -> None:
    card = replace(
        random_model(("cat", "dog"))[1],
        accuracy=0.7,
        accuracy_interval=(0.48, 0.83),
        confusion=((8, 2), (4, 6)),
        num_train=70,
        num_val=10,
        num_test=25,
        num_tested=20,
        created_at="2026-01-02T03:04:05+00:00",
    )
    page = model_page(card)
    check_page(page)
    for shown in (
        "Classifier of d: accuracy 0.700",
        "cat, dog",
        "0.700 on 20 images (95 % interval 0.480 to 0.830)",
        "tiny, pretrained on x",
        "everything",
        "70, 10, 25",
        "2026-01-02 03:04",
        "<caption>",
    ):
        assert shown in page


@pytest.mark.parametrize("count", [2, 300])
def test_names_are_text_and_not_too_many(
    check_page: Callable[[str], None], evil: str, count: int
) -> None:
    page = model_page(replace(random_model([f"{evil} {i}" for i in range(count)])[1], dataset=evil))
    check_page(page)
    assert "<script" not in page
    assert ("and 200 more" in page) == (count == 300)
    assert "The confusion matrix is not saved" in page
