"""Pages: well formed, escaped, and standing alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.records import (
    Candidate,
    CurvePoint,
    Experience,
    MetaFeatures,
    Regime,
    Task,
    ZooEntry,
)
from nasoa.report.charts import confusion_matrix, learning_curve, predicted_against_reached
from nasoa.report.store_page import VersionRow, store_page
from nasoa.report.task_page import meta_features_markdown, regime_markdown, task_page

EVIL = "<script>alert('x')</script> & | co"
VOID = {"meta", "line", "circle", "polyline"}


class Balanced(HTMLParser):
    """Checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


REGIME = Regime(
    model="ET-NAS-A",
    lr=0.1,
    frozen_stages=-1,
    iterations=321,
    batch_size=64,
    resolution=64,
    lr_schedule="cosine",
)
CANDIDATE = Candidate(
    regime=REGIME, predicted_accuracy=0.71, interval=(0.21, 1.0), predicted_s=17.5
)


def experience(name: str = "photos", num_classes: int = 2) -> Experience:
    task = Task(
        task_id="t",
        data=name,
        dataset=name,
        time_limit_s=20.0,
        seed=0,
        class_names=tuple(f"{name} {i}" for i in range(num_classes)),
        num_train=80,
        num_val=10,
        num_test=10,
        resolution=64,
        meta_features=MetaFeatures(
            num_classes=num_classes,
            num_images=80,
            mean_images_per_class=40.0,
            std_images_per_class=0.0,
            domain_similarity=0.91,
        ),
        mirror_safe=True,
        used_s=1.0,
        clock="wall",
        hardware="cpu",
    )
    entry = ZooEntry(
        name="ET-NAS-A",
        family="ET-NAS",
        encoding="2- 32 2-11-112-1121112",
        num_params=1,
        part_macs=(1,) * 6,
        part_activations=(1,) * 6,
        resolution=64,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        num_classes=200,
        source="s",
        source_accuracy=0.3,
    )
    confusion = tuple(
        tuple(5 if i == j else int(j == 0) for j in range(num_classes)) for i in range(num_classes)
    )
    return Experience(
        task=task,
        run_id="t",
        regime=REGIME,
        model=entry,
        predicted_accuracy=0.71,
        predictor_version=4,
        accuracy=0.8375,
        val_accuracy=0.85,
        elapsed_s=18.25,
        curve=(
            CurvePoint(iteration=0, elapsed_s=2.0, train_loss=0.0, val_accuracy=0.4),
            CurvePoint(iteration=321, elapsed_s=18.0, train_loss=0.9, val_accuracy=0.85),
        ),
        confusion=confusion,
        ended="deadline",
        model_dir="m",
        code_version="0",
        created_at="2026-01-01T00:00:00",
    )


VERSION = VersionRow(
    version=5, parent=4, num_learned=9, created_at="2026-01-01T00:00:00", alpha=(0.25, 0.75)
)


def check(page: str) -> None:
    """Well formed, nothing from outside, no script."""
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert not re.search(r"(https?:)?//\w", page)
    assert not re.search(r"\b(nan|inf|None)\b", page)


@pytest.mark.parametrize("num_classes", [2, 20, 45])
def test_a_task_page_tells_what_happened(num_classes: int) -> None:
    page = task_page(experience(EVIL, num_classes), [CANDIDATE])
    check(page)
    for shown in ("0.838", "0.710", "18.2 of 20 s", "321", "deadline", "0.21 to 1.00"):
        assert shown in page
    assert ("with the most mistakes" in page) == (num_classes > 20)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_store_page_tells_of_every_task(count: int) -> None:
    page = store_page([experience(f"set-{i}") for i in range(count)], [VERSION] * bool(count))
    check(page)
    assert ("no fine-tunes yet" in page) == (count == 0)
    for i in range(count):
        assert f"set-{i}<" in page


def test_markdown_shows_odd_names_as_they_are() -> None:
    text = meta_features_markdown(experience(EVIL).task)
    assert "<script>" not in text.replace("\\<", "")
    assert all(line.startswith("|") for line in text.strip().splitlines())
    assert "version 4, 7 experiences" in regime_markdown([CANDIDATE], 4, 7, "from experience")


unit = st.floats(0, 1)


@given(
    st.lists(
        st.builds(
            CurvePoint,
            iteration=st.integers(0, 10**6),
            elapsed_s=st.floats(0, 10**6),
            train_loss=st.floats(0, 100),
            val_accuracy=unit,
        ),
        max_size=8,
    ),
    st.floats(0.001, 10**6),
)
def test_a_curve_stays_inside_its_chart(curve: list[CurvePoint], limit_s: float) -> None:
    root = ET.fromstring(learning_curve(curve, limit_s))
    dots = [e for e in root.iter() if e.get("class") == "dot"]
    assert len(dots) == len(curve)
    for dot in dots:
        assert 0 <= float(dot.attrib["cx"]) <= 420
        assert 0 <= float(dot.attrib["cy"]) <= 240


def test_a_dot_on_the_diagonal_was_predicted_right() -> None:
    root = ET.fromstring(predicted_against_reached([experience(EVIL)]))
    (dot,) = [e for e in root.iter() if e.get("class") == "dot"]
    # Reached more than predicted: above the diagonal, which runs from (44, 200) to (406, 14).
    x, y = float(dot.attrib["cx"]), float(dot.attrib["cy"])
    assert y < 200 - (x - 44) / (406 - 44) * (200 - 14)


def test_a_confusion_matrix_counts() -> None:
    table = confusion_matrix([[3, 1], [0, 5]], ["cat", EVIL])
    check(table)
    assert re.findall(r">(\d*)</td>", table) == ["3", "1", "", "5"]
