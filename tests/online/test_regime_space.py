"""What there is to choose from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.candidates import ConfigurationTable
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


def distinct(table: ConfigurationTable) -> set[tuple[float, ...]]:
    return set(map(tuple, table.columns().T.tolist()))


def test_grid_is_every_combination_once(zoo: dict[str, ZooEntry]) -> None:
    grid = SPACE.grid(zoo)
    assert len(grid) == len(distinct(grid)) == 2 * 2 * 2 * 1 * 2
    assert [grid.models[i] for i in np.unique(grid.model)] == ["small", "large"]
    assert set(grid.resolution) == {64}
    assert set(grid.lr) == {0.1, 0.01}
    assert set(grid.frozen_stages[grid.cached_features]) == {4}
    assert set(grid.frozen_stages[~grid.cached_features]) == {-1}


def test_resolutions_of_their_own(zoo: dict[str, ZooEntry]) -> None:
    assert set(RegimeSpace.paper().grid(zoo).resolution) == {224}


def test_samples_come_from_the_grid_and_reach_all_of_it(zoo: dict[str, ZooEntry]) -> None:
    drawn = SPACE.sample(np.random.default_rng(0), zoo, 1600)
    counts = Counter(map(tuple, drawn.columns().T.tolist()))
    assert set(counts) == distinct(SPACE.grid(zoo)) == distinct(drawn.distinct())
    assert min(counts.values()) > 50  # 100 expected of each
    assert len(drawn.distinct()) == len(counts)


def test_sampling_is_seeded(zoo: dict[str, ZooEntry]) -> None:
    first, second, other = (
        SPACE.sample(np.random.default_rng(seed), zoo, 20).columns() for seed in (3, 3, 4)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


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
        SPACE.sample(np.random.default_rng(0), {}, 1)
