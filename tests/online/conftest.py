"""A small zoo, a task, a clock of round numbers, and streams of runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nasoa.online.mixture.layout import Layout
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import HEAD_ONLY, Experience, MetaFeatures, Regime, Task, ZooEntry
from nasoa.zoo.task_size import TaskSize

PARTS = (3_000_000, 8_000_000, 10_000_000, 12_000_000, 8_000_000, 100_000)


class RoundTimes:
    """Times of the small model at 64 px: 1,300 images a second in full training, 3,900 forward.

    The steps of a head alone are batches of images to whose features it is fitted.

    `error` is the standard deviation of the logarithm of true over predicted seconds.
    """

    def __init__(self, error: float = 0.0) -> None:
        self.error = error

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        frozen_cost = 1.0 if frozen_stages == HEAD_ONLY or not cached else 0.0
        costs = [frozen_cost] * (frozen_stages + 1) + [3.0] * (5 - frozen_stages)
        macs = sum(cost * part for cost, part in zip(costs, entry.part_macs, strict=True))
        zoom = (resolution / entry.resolution) ** 2
        return 0.001 + batch_size * macs * zoom / (3 * sum(PARTS)) / 1300

    def fixed_s(
        self, entry: ZooEntry, resolution: int, size: TaskSize, frozen_stages: int, cached: bool
    ) -> float:
        zoom = (resolution / entry.resolution) ** 2 * entry.macs / sum(PARTS)
        # The first head is fitted to the features of at least some images.
        fitted = size.num_train if cached else min(size.num_train, 1000)
        if frozen_stages == HEAD_ONLY:
            fitted = 0
        return 1.0 + zoom * (size.num_val + fitted) / 3900

    def fit_s(self, entry: ZooEntry, num_images: int, num_classes: int) -> float:
        return 0.0

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        return (resolution / entry.resolution) ** 2 * entry.macs / sum(PARTS) / 3900

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        return self.error


@pytest.fixture(scope="session")
def time_model() -> RoundTimes:
    return RoundTimes()


@pytest.fixture(scope="session")
def unsure_times() -> Callable[[float], RoundTimes]:
    """The same times, with an error."""
    return RoundTimes


@pytest.fixture(scope="session")
def small_model() -> ZooEntry:
    return ZooEntry(
        name="small",
        family="et-nas",
        encoding="",
        num_params=2_600_000,
        part_macs=PARTS,
        part_activations=(60_000, 90_000, 60_000, 40_000, 20_000, 0),
        resolution=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        num_classes=200,
        source="objects",
        source_accuracy=0.32,
    )


@pytest.fixture(scope="session")
def zoo(small_model: ZooEntry) -> dict[str, ZooEntry]:
    large = replace(
        small_model,
        name="large",
        num_params=20_000_000,
        part_macs=tuple(10 * macs for macs in PARTS),
        part_activations=tuple(4 * count for count in small_model.part_activations),
        source_accuracy=0.5,
    )
    return {"small": small_model, "large": large}


@pytest.fixture(scope="session")
def meta() -> MetaFeatures:
    return MetaFeatures(
        num_classes=10,
        num_images=1300,
        mean_images_per_class=130.0,
        std_images_per_class=20.0,
        domain_similarity=math.exp(-0.08),
        image_resolution=64,
    )


@pytest.fixture(scope="session")
def regime() -> Regime:
    return Regime(
        model="small",
        lr=0.1,
        frozen_stages=-1,
        iterations=400,
        batch_size=64,
        resolution=64,
        lr_schedule="cosine",
    )


@pytest.fixture(scope="session")
def times(time_model: RoundTimes, zoo: dict[str, ZooEntry]) -> TaskTimes:
    """The task that `meta` describes, with images of 64 px."""
    return TaskTimes(
        time_model,
        zoo,
        TaskSize(
            num_train=1300,
            num_val=200,
            num_test=400,
            num_classes=10,
        ),
        image_resolution=64,
    )


RunMaker = Callable[..., Experience]


@pytest.fixture(scope="session")
def run(meta: MetaFeatures, zoo: dict[str, ZooEntry]) -> RunMaker:
    """Return a function that makes finished fine-tunes."""

    def made(
        regime: Regime,
        accuracy: float,
        *,
        dataset: str = "pets",
        entry: ZooEntry | None = None,
        described: MetaFeatures = meta,
    ) -> Experience:
        task = Task(
            task_id="t",
            data=dataset,
            dataset=dataset,
            time_limit_s=60.0,
            seed=0,
            class_names=("cat", "dog"),
            num_train=described.num_images,
            num_val=100,
            num_test=200,
            resolution=64,
            meta_features=described,
            mirror_safe=True,
            used_s=1.0,
            clock="wall",
            hardware="cpu",
        )
        return Experience(
            task=task,
            run_id="t",
            regime=regime,
            model=entry or zoo[regime.model],
            predicted_accuracy=0.5,
            predictor_version=0,
            accuracy=accuracy,
            val_accuracy=accuracy,
            elapsed_s=50.0,
            curve=(),
            confusion=(),
            ended="deadline",
            model_dir="",
            code_version="0",
            created_at="2026-01-01T00:00:00",
        )

    return made


@dataclass(frozen=True)
class Stream:
    """Runs with rows of a model (code), a learning rate and a task (code, the group)."""

    layout: Layout
    rows: NDArray[np.float64]
    targets: NDArray[np.float64]


def make_stream(num_rows: int, seed: int = 0, num_tasks: int = 4) -> Stream:
    """Return runs whose accuracy depends on model, task and learning rate, which has an optimum."""
    rng = np.random.default_rng(seed)
    models = rng.integers(0, 3, num_rows)
    rates = 10.0 ** rng.uniform(-4, -1, num_rows)
    tasks = rng.integers(0, num_tasks, num_rows)
    level = np.linspace(0.8, 0.4, num_tasks)[tasks] + 0.05 * models
    targets = level - 0.05 * (np.log10(rates) + 2.5) ** 2 + 0.01 * rng.normal(size=num_rows)
    rows = np.column_stack([models, rates, tasks]).astype(np.float64)
    layout = Layout(num_columns=3, categories=(0, 2), group=2)
    return Stream(layout, rows, np.clip(targets, 0.0, 1.0))


@pytest.fixture(scope="session")
def stream() -> Stream:
    """40 runs, enough for every schedule to occur more than once."""
    return make_stream(40)
