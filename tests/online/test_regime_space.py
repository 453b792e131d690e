"""What there is to choose from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.regime_space import RegimeSpace
from nasoa.records import ZooEntry
from nasoa.training.schedules import SCHEDULES

SPACE = RegimeSpace(
    lrs=(0.1, 0.01),
    frozen_stages=(-1, 4),
    batch_sizes=(32,),
    schedules=("cosine", "step"),
    resolutions=(),
    max_epochs=100,
)


def test_paper_preset_holds_every_optimum_of_table_7(shared: Path) -> None:
    tables = json.loads((shared / "paper" / "tables.json").read_text())
    space = RegimeSpace.paper()
    for row in tables["table7_lr_frozen_resnet50"]["rows"]:
        _dataset, _classes, _images, best_lr, best_frozen_stage, _accuracy = row
        assert best_lr in space.lrs
        assert best_frozen_stage in space.frozen_stages


@pytest.mark.parametrize("space", [RegimeSpace.paper(), RegimeSpace.small()])
def test_presets_name_schedules_that_exist(space: RegimeSpace) -> None:
    assert set(space.schedules) <= set(SCHEDULES)


def test_grid_is_every_combination_once(zoo: dict[str, ZooEntry]) -> None:
    grid = list(SPACE.grid(zoo))
    assert len(grid) == len(set(grid)) == 2 * 2 * 2 * 1 * 2
    assert {c.model for c in grid} == {"small", "large"}
    assert {c.resolution for c in grid} == {64}
    assert {c.frozen_stages: c.cached_features for c in grid} == {-1: False, 4: True}


def test_resolutions_of_their_own(zoo: dict[str, ZooEntry]) -> None:
    assert {c.resolution for c in RegimeSpace.paper().grid(zoo)} == {224}


def test_samples_come_from_the_grid_and_reach_all_of_it(zoo: dict[str, ZooEntry]) -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(SPACE.sample(rng, zoo) for _ in range(1600))
    assert set(drawn) == set(SPACE.grid(zoo))
    assert min(drawn.values()) > 50  # 100 expected of each


def test_sampling_is_seeded(zoo: dict[str, ZooEntry]) -> None:
    first, second = (
        [SPACE.sample(rng, zoo) for _ in range(20)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == second


def test_a_configuration_becomes_a_regime(zoo: dict[str, ZooEntry]) -> None:
    configuration = next(c for c in SPACE.grid(zoo) if c.cached_features)
    regime = configuration.regime(77, fills_limit=False)
    assert (regime.iterations, regime.fills_limit, regime.cached_features) == (77, False, True)
    assert (regime.model, regime.lr, regime.frozen_stages) == configuration[:3]
    assert (regime.batch_size, regime.resolution, regime.lr_schedule) == configuration[3:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lrs": ()}, "lrs"),
        ({"lrs": (0.0,)}, "lrs"),
        ({"frozen_stages": (5,)}, "frozen_stages"),
        ({"frozen_stages": (-2,)}, "frozen_stages"),
        ({"batch_sizes": (0,)}, "batch_sizes"),
        ({"schedules": ()}, "schedules"),
        ({"resolutions": (0,)}, "resolutions"),
        ({"max_epochs": 0}, "max_epochs"),
    ],
)
def test_wrong_spaces(change: dict[str, object], message: str) -> None:
    values = {
        "lrs": (0.1,),
        "frozen_stages": (-1,),
        "batch_sizes": (64,),
        "schedules": ("cosine",),
        "resolutions": (),
        "max_epochs": 10,
    }
    with pytest.raises(InvalidInput, match=message):
        RegimeSpace(**(values | change))  # type: ignore[arg-type]


def test_an_empty_zoo() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        SPACE.sample(np.random.default_rng(0), {})
