"""The card of a saved model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from nasoa.online.tuning.saved_model import ModelCard
from nasoa.records import from_json, to_json
from nasoa.report.model_card import model_card_markdown
from nasoa.zoo.entries import packaged_cards
from tests.random_model import random_model


def card_of(names: tuple[str, ...], confusion: tuple[tuple[int, ...], ...]) -> ModelCard:
    tested = sum(map(sum, confusion))
    right = sum(row[i] for i, row in enumerate(confusion))
    return replace(
        random_model(names)[1],
        accuracy=right / tested,
        accuracy_interval=(0.48, 0.83),
        confusion=confusion,
        val_accuracy=0.7,
        predicted_accuracy=0.65,
        num_train=70,
        num_val=10,
        num_test=tested + 5,
        num_tested=tested,
        fingerprint="abc123",
        time_limit_s=60.0,
        seed=3,
        created_at="2026-01-02T03:04:05+00:00",
        code_version="0.1.0",
    )


def test_it_tells_data_regime_accuracy_confusion_and_licences() -> None:
    text = model_card_markdown(card_of(("cat", "dog"), ((8, 2), (4, 6))))
    assert text.startswith("---\nlibrary_name: nasoa\npipeline_tag: image-classification\n---\n")
    assert "classifies 70.0% of 20 test images correctly (95 % interval 48.0% to 83.0%)" in text
    for row in (
        "| images | 70 to train, 10 to validate, 25 to test |",
        "| 2 classes | cat, dog |",
        "| fingerprint | abc123 |",
        "| trained parts | everything |",
        "| validation accuracy | 0.700 |",
        "| predicted accuracy | 0.650 |",
        "| cat | 8 | 2 |",
        "| dog | 4 | 6 |",
        "| random seed | 3 |",
        "| ended at (UTC) | 2026-01-02 03:04:05 |",
    ):
        assert row in text
    assert "Pretrained weights of tiny: unknown; ask those who made them." in text


def test_many_classes_show_the_most_frequent_confusions() -> None:
    names = tuple(f"class {number}" for number in range(30))
    rows = [[0] * 30 for _ in names]
    for i in range(30):
        rows[i][i] = 5
    right = model_card_markdown(card_of(names, tuple(map(tuple, rows))))
    assert "No test image was misclassified." in right
    rows[4][7], rows[2][9] = 3, 2
    text = model_card_markdown(card_of(names, tuple(map(tuple, rows))))
    assert "| class 4 | class 7 | 3 |\n| class 2 | class 9 | 2 |" in text
    assert "as class 4" not in text


def test_names_cannot_change_the_page() -> None:
    names = ("<script>alert(1)</script>", "a | b\n# title")
    html = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(model_card_markdown(card_of(names, ((8, 2), (4, 6)))))
    )
    assert "<script>" not in html
    assert html.count("<h1>") == 1
    assert "<td>a | b # title</td>" in html


def test_every_packaged_model_names_a_licence() -> None:
    names = ("a", "b")
    for packaged in packaged_cards().values():
        assert packaged.entry.license
        card = replace(card_of(names, ((8, 2), (4, 6))), entry=packaged.entry)
        text = model_card_markdown(card)
        assert f"{packaged.entry.license}." in text
        assert "images of ImageNet, which are for non-commercial research" in text


def test_a_card_of_an_earlier_release_is_read() -> None:
    known = json.loads(to_json(random_model(("a", "b"))[1]))
    names = ("task_id", "dataset", "class_names", "entry", "regime", "mirror_safe", "accuracy")
    earlier = {name: known[name] for name in names}
    del earlier["entry"]["license"]
    card = from_json(json.dumps(earlier), ModelCard)
    assert card.accuracy_interval is None
    assert "Its accuracy on test images is 0.500." in model_card_markdown(card)


@pytest.mark.parametrize("num_classes", [2, 101])
def test_without_a_matrix_the_card_says_where_it_is(num_classes: int) -> None:
    names = tuple(f"c{number}" for number in range(num_classes))
    text = model_card_markdown(random_model(names)[1])
    assert "`nasoa report` shows the task" in text
