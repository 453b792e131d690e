"""Records to build pages from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nasoa.config import EvaluateConfig
from nasoa.offline.search import SearchConfig, progress
from nasoa.offline.space import BlockSpace
from nasoa.records import (
    Candidate,
    CurvePoint,
    EnergyUse,
    Experience,
    FailedRun,
    MetaFeatures,
    Outcome,
    Regime,
    Task,
    ZooEntry,
)
from nasoa.report.contents import ModelRow, SearchResults, StoreContents
from nasoa.report.version_row import VersionRow
from tests.evaluations import evaluation

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


@pytest.fixture(scope="session")
def make_search() -> Callable[..., SearchResults]:
    """Return a factory of searches with a name, generations of two, and better ones at the end."""

    def make(name: str = "blocks", num_generations: int = 4) -> SearchResults:
        config = SearchConfig(
            block=BlockSpace.small(), data=f"{name}.zip", evaluate=EvaluateConfig.small()
        )
        generations = tuple(
            (f"{g}- 16 1-2-21-2", f"{g}- 32 1-2-21-2") for g in range(1, num_generations + 1)
        )
        evaluations = {}
        for g, (fast, slow) in enumerate(generations, start=1):
            better = 0.4 * g / num_generations
            found = (
                evaluation(fast, 10.0 + better, 0.3 + better),
                evaluation(slow, 40.0 - better, None if g == 1 else 0.4 + better),
            )
            evaluations |= {one.encoding: replace(one, elapsed_s=90.0) for one in found}
        return SearchResults(
            name=name,
            config=config,
            generations=generations,
            evaluations=evaluations,
            progress=tuple(progress(config, generations, evaluations)),
        )

    return make


@pytest.fixture(scope="session")
def make_model() -> Callable[..., ModelRow]:
    """Return a factory of models of a zoo."""

    def make(
        name: str, step_ms: float, accuracy: float, *, family: str = "ET-NAS", source: str = "tiny"
    ) -> ModelRow:
        return ModelRow(
            name=name,
            family=family,
            source=source,
            accuracy=accuracy,
            resolution=64,
            batch_size=64,
            step_ms=step_ms,
            image_ms=step_ms / 200,
            is_measured=family == "ET-NAS",
            macs=19_000_000,
            num_params=2_200_000,
        )

    return make


@pytest.fixture(scope="session")
def make_energy() -> Callable[..., EnergyUse]:
    """Return a factory of the energy of a task, by its watt-hours."""

    def make(energy_wh: float, cpu_source: str = "tdp") -> EnergyUse:
        return EnergyUse(
            energy_wh=energy_wh,
            co2_g=0.475 * energy_wh,
            cpu_wh=0.75 * energy_wh,
            memory_wh=0.25 * energy_wh,
            gpu_wh=0.0,
            cpu_source=cpu_source,
            core_w=4.0 if cpu_source == "tdp" else 0.0,
            carbon_g_per_kwh=475.0,
            search_trainings=40,
            saved_wh=39 * energy_wh,
            saved_co2_g=39 * 0.475 * energy_wh,
        )

    return make


@pytest.fixture(scope="session")
def make_contents(
    make_experience: Callable[..., Experience],
    make_model: Callable[..., ModelRow],
    make_search: Callable[..., SearchResults],
    make_energy: Callable[..., EnergyUse],
) -> Callable[..., StoreContents]:
    """Return a factory of the contents of a store with something for every section."""

    def make(name: str = "photos", count: int = 3) -> StoreContents:
        experiences = [
            replace(
                e,
                task=replace(e.task, task_id=f"task {i} of {name}", fingerprint="same"),
                accuracy=0.5 + 0.4 * i / count,
                energy=make_energy(0.5 + i / count),
            )
            for i, e in enumerate([make_experience(name)] * count)
        ]
        versions = [
            VersionRow(
                version=i + 1,
                parent=i,
                num_learned=i,
                new=(e.task.task_id,),
                errors=(e.predicted_accuracy - e.accuracy,),
                num_errors=i + 1,
                rang_at=(count,) if i == count - 1 else (),
                weights={name: 0.25 + 0.5 * i / count, "other": 0.75 - 0.5 * i / count},
                created_at="2026-02-03T04:05:06",
                code_version="0",
            )
            for i, e in enumerate(experiences)
        ]
        outcome = Outcome(
            task_id=name,
            reason=name,
            elapsed_s=17.0,
            time_limit_s=20.0,
            durations_s={name: 5.5, "fine_tune": 10.25},
            store_retries=0,
            created_at="",
            code_version="0",
        )
        failure = FailedRun(
            run_id=name,
            pipeline="finetune-task",
            subject=name,
            state="FAILED",
            message=f"evicted {name}",
            created_at="2026-02-03T04:05:06",
            code_version="0",
        )
        return StoreContents(
            uri=name,
            hardware=name,
            models=(
                make_model("ET-NAS-A", 60.0, 0.31),
                make_model(name, 150.0, 0.34, family=name),
                make_model("lite", 2000.0, 0.75, family="Lite", source=name),
            ),
            searches=(make_search(name),),
            experiences=tuple(experiences),
            intervals={e.task.task_id: (0.6, 0.9) for e in experiences},
            versions=tuple(versions),
            paper_versions=tuple(versions),
            outcomes=(outcome,),
            failures=(failure,),
        )

    return make


VOID = {"meta", "line", "circle", "polyline"}


class Balanced(HTMLParser):
    """Check that every element is closed, and that none runs or loads anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object", "image", "use", "base")
        for name, value in attrs:
            assert name not in ("src", "xlink:href", "srcset")
            assert name != "href" or (value or "").startswith("#")
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
