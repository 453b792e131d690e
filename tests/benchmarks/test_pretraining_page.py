"""The tables of the page on pretraining are those of the cards and of the files of results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import pretraining_page
from benchmarks.pretraining_page import PAGE, curves, models, rewritten, teachers
from nasoa.errors import InvalidInput
from nasoa.zoo.entries import packaged_cards


def test_the_page_is_what_the_cards_and_results_say() -> None:
    """Where it is not: python -m benchmarks.pretraining_page."""
    text = PAGE.read_text(encoding="utf-8")
    assert rewritten(text) == text
    with pytest.raises(InvalidInput, match="end of curves"):
        rewritten(text.replace("<!-- end of curves -->", ""))


def test_a_taught_model_shows_its_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "learned from" not in models()
    cards = packaged_cards()
    taught = {"teacher": "efficientnet-lite2", "unlabelled": ("cifar10", "dtd10")}
    cards["ET-NAS-B"] = replace(cards["ET-NAS-B"], **taught)
    monkeypatch.setattr(pretraining_page, "packaged_cards", lambda: cards)
    lines = models().splitlines()
    assert lines[0].endswith("| learned from |")
    (line,) = [line for line in lines if "ET-NAS-B" in line]
    assert line.endswith("| efficientnet-lite2, with 2 more data sets |")
    (other,) = [line for line in lines if "ET-NAS-C" in line]
    assert other.endswith("| labels |")


def test_a_training_that_the_package_does_not_have_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = packaged_cards()
    assert curves().count("The package has another training") == 1
    cards["ET-NAS-C"] = replace(cards["ET-NAS-C"], command="another")
    monkeypatch.setattr(pretraining_page, "packaged_cards", lambda: cards)
    assert "another training of ET-NAS-C" in curves()


def comparison(label: str, **values: Any) -> dict[str, Any]:
    return {"label": label, "model": label.partition(" ")[0], **values}


def test_the_section_on_teachers_appears_with_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.results_files.RESULTS", tmp_path)
    assert teachers() == ""
    better = {"mean": 0.0213, "interval": [0.01, 0.03], "unseen": -0.002}
    document = {
        "networks": [
            {"label": "ET-NAS-B (taught)", "teacher": "efficientnet-lite2"},
            {"label": "ET-NAS-C (taught)", "teacher": "efficientnet-lite2"},
            {"label": "searched-1 (labels)", "teacher": ""},
        ],
        "differences": [
            comparison("ET-NAS-B (taught)", ships=True, **better),
            comparison("ET-NAS-C (taught)"),
        ],
        "newcomers": [comparison("searched-1 (labels)", joins=False, **better)],
    }
    (tmp_path / "transfer.json").write_text(json.dumps(document))
    text = teachers()
    assert (
        "| ET-NAS-B (taught) | efficientnet-lite2 | same name | +0.021 (+0.010 to +0.030) "
        "| -0.002 | ships |" in text
    )
    assert "| ET-NAS-C (taught) | efficientnet-lite2 | same name |  |  | not measured yet |" in text
    assert "| searched-1 (labels) | labels | front at its step time |" in text
    assert text.rstrip().endswith("| no |")
    assert "(transfer.md)" in text
