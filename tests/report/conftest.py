"""Records to build pages from."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from nasoa.records import Candidate, CurvePoint, Experience, MetaFeatures, Regime, Task, ZooEntry

EVIL = "<script>alert('x')</script> & | \"co\" ![i](https://evil.example/x.png)"


@pytest.fixture(scope="session")
def evil() -> str:
    """Return a name that would break a page, or load something, if it were not escaped."""
    return EVIL


@pytest.fixture(scope="session")
def regime() -> Regime:
    return Regime(
        model="ET-NAS-A",
        lr=0.1,
        frozen_stages=2,
        iterations=321,
        batch_size=64,
        resolution=72,
        lr_schedule="cosine",
    )


@pytest.fixture(scope="session")
def candidate(regime: Regime) -> Candidate:
    return Candidate(regime=regime, predicted_accuracy=0.71, interval=(0.21, 1.0), predicted_s=17.5)


@pytest.fixture(scope="session")
def make_experience(regime: Regime) -> Callable[..., Experience]:
    """Return a factory of experiences with a data set, a number of classes and accuracies."""

    def make(
        name: str = "photos",
        *,
        num_classes: int = 2,
        predicted: float = 0.71,
        reached: float = 0.8375,
    ) -> Experience:
        return Experience(
            task=_task(name, num_classes),
            run_id="run",
            regime=regime,
            model=_model(),
            predicted_accuracy=predicted,
            predictor_version=4,
            accuracy=reached,
            val_accuracy=0.85,
            elapsed_s=18.26,
            curve=(
                CurvePoint(iteration=0, elapsed_s=2.0, train_loss=0.0, val_accuracy=0.4),
                CurvePoint(iteration=321, elapsed_s=18.0, train_loss=0.9, val_accuracy=0.85),
            ),
            confusion=tuple(
                tuple(5 if i == j else int(j == 0) for j in range(num_classes))
                for i in range(num_classes)
            ),
            ended="deadline",
            model_dir="m",
            code_version="0",
            created_at="2026-01-02T03:04:05+00:00",
        )

    return make


def _task(name: str, num_classes: int) -> Task:
    return Task(
        task_id=f"task of {name}",
        data=name,
        dataset=name,
        time_limit_s=20.0,
        seed=0,
        class_names=tuple(f"{name} {i}" for i in range(num_classes)),
        num_train=80,
        num_val=11,
        num_test=12,
        resolution=96,
        meta_features=MetaFeatures(
            num_classes=num_classes,
            num_images=80,
            mean_images_per_class=40.0,
            std_images_per_class=1.5,
            domain_similarity=0.91,
        ),
        mirror_safe=True,
        used_s=1.0,
        clock="wall",
        hardware="cpu",
    )


def _model() -> ZooEntry:
    return ZooEntry(
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
        source="tinyimagenet200",
        source_accuracy=0.3,
    )


VOID = {"meta", "line", "circle", "polyline"}


class Balanced(HTMLParser):
    """Check that every element is closed, and that none runs or loads anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object", "image", "use", "base")
        for name, value in attrs:
            assert name not in ("src", "href", "xlink:href", "srcset")
            assert not name.startswith("on")
            assert "url(" not in (value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="session")
def check_page() -> Callable[[str], None]:
    """Return a check that a page is well formed and self-contained, and has no invalid number."""

    def check(page: str) -> None:
        parser = Balanced()
        parser.feed(page)
        parser.close()
        assert parser.open == []
        (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
        assert "url(" not in style
        assert "@import" not in style
        assert not re.search(r"\b(nan|inf|None)\b", page)

    return check
