"""The space of regimes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.regimes.regime_space import (
    HEAD_BATCH,
    LEAST_CACHED,
    RESOLUTIONS,
    RegimeSpace,
    admitted_resolutions,
)
from nasoa.online.regimes.run_table import RunTable
from nasoa.records import BN_ALL, BN_FIXED, BN_TRAINED, FITTED, HEAD_ONLY, ZooEntry
from nasoa.training.schedules import SCHEDULES

SPACE = RegimeSpace(
    lrs=(0.1, 0.01),
    frozen_stages=(-1, 2, 4),
    batch_sizes=(32,),
    schedules=("cosine", "step"),
    resolutions=(),
    max_epochs=100,
    caches=True,
    bns=(BN_TRAINED, BN_FIXED),
    fitted_heads=(False, True),
)
IMAGE = 40  # px; models of 64 px are used at 32, 64, 96 and 128


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


def distinct(table: RunTable) -> set[tuple[float, ...]]:
    return set(map(tuple, table.configurations().tolist()))


def test_grid_is_every_combination_once(zoo: dict[str, ZooEntry]) -> None:
    grid = SPACE.grid(zoo, IMAGE)
    everything = 2 * 2 * 2 * 2  # learning rates, schedules, statistics, initial heads
    per_resolution = everything + 2 * everything + 1  # all trained; cached or not; head only
    assert len(grid) == len(distinct(grid)) == 2 * 4 * per_resolution
    assert list(dict.fromkeys(grid.model.values())) == ["small", "large"]
    assert set(grid.resolution) == {32, 64, 96, 128}
    trained = grid.take(np.flatnonzero(~grid.is_head))
    assert set(trained.lr) == {0.1, 0.01}
    assert set(trained.lr_schedule.values()) == {"cosine", "step"}
    assert set(trained.bn.values()) == {BN_TRAINED, BN_FIXED}
    assert set(trained.fitted_head) == {0, 1}
    assert set(trained.frozen_stages[trained.cached_features == 1]) == {2}
    assert set(trained.frozen_stages[trained.cached_features == 0]) == {-1, 2}


def test_of_a_head_alone_there_is_one_regime_a_resolution(zoo: dict[str, ZooEntry]) -> None:
    grid = SPACE.grid(zoo, IMAGE)
    heads = grid.take(np.flatnonzero(grid.is_head))
    assert len(heads) == 2 * 4
    for regime in heads.with_columns(iterations=1, fills_limit=0).regimes():
        assert (regime.frozen_stages, regime.lr_schedule, regime.lr) == (HEAD_ONLY, FITTED, 1.0)
        assert (regime.batch_size, regime.bn) == (HEAD_BATCH, BN_FIXED)
        assert regime.cached_features
        assert regime.fitted_head
    only = RegimeSpace.heads().grid(zoo, IMAGE)
    assert only.is_head.all()
    assert len(only) == len(heads)


def test_only_what_lies_behind_a_stage_is_cached(zoo: dict[str, ZooEntry]) -> None:
    for space, most in ((RegimeSpace.small(), 1), (replace(RegimeSpace.small(), caches=False), 0)):
        grid = space.grid(zoo, IMAGE)
        trained = grid.take(np.flatnonzero(~grid.is_head))
        assert trained.cached_features.max() == most
        assert (trained.frozen_stages[trained.cached_features == 1] >= LEAST_CACHED).all()


def test_resolutions_of_their_own(zoo: dict[str, ZooEntry]) -> None:
    assert set(RegimeSpace.paper().grid(zoo, IMAGE).resolution) == {224}


def test_statistics_adapt_in_the_paper_everywhere(zoo: dict[str, ZooEntry]) -> None:
    grid = RegimeSpace.paper().grid(zoo, IMAGE)
    assert set(grid.bn.values()) == {BN_ALL}
    assert not grid.cached_features.any()
    assert not grid.fitted_head.any()


@pytest.mark.parametrize(
    ("own", "image", "admitted"),
    [
        (64, 8, (32, 64)),  # tiny images are still enlarged to 64 px
        (64, 32, (32, 64, 96)),
        (64, 300, (32, 64, 96, 128, 160)),
        (224, 32, (64, 96)),
        (224, 64, (64, 96, 128, 160, 192, 224)),
        (240, 224, (64, 96, 128, 160, 192, 224)),
        (512, 20, (512,)),  # none of `RESOLUTIONS` is near enough to the model's own
    ],
)
def test_resolutions_by_model_and_images(
    small_model: ZooEntry, own: int, image: int, admitted: tuple[int, ...]
) -> None:
    assert admitted_resolutions(replace(small_model, resolution=own), image) == admitted


@given(own=st.integers(1, 1024), image=st.integers(1, 1024))
def test_resolutions_are_bounded_by_model_and_images(
    small_model: ZooEntry, own: int, image: int
) -> None:
    found = admitted_resolutions(replace(small_model, resolution=own), image)
    assert found
    assert list(found) == sorted(set(found))
    if found == (own,):
        return  # nothing else is allowed, or only that
    assert set(found) <= set(RESOLUTIONS)
    assert found[-1] <= max(3.5 * image, 64)
    assert found[-1] <= 2.5 * own
    assert found[0] >= own / 4


def test_samples_come_from_the_grid_and_reach_all_of_it(zoo: dict[str, ZooEntry]) -> None:
    every = distinct(SPACE.grid(zoo, IMAGE))
    drawn = SPACE.sample(np.random.default_rng(0), zoo, IMAGE, 100 * len(every))
    counts = Counter(map(tuple, drawn.configurations().tolist()))
    assert set(counts) == every == distinct(drawn.distinct())
    assert min(counts.values()) > 50  # 100 expected of each
    assert len(drawn.distinct()) == len(counts)


def test_every_model_is_drawn_as_often(zoo: dict[str, ZooEntry]) -> None:
    """The number of a model's resolutions, and so configurations, does not matter."""
    of_fewer = {**zoo, "large": replace(zoo["large"], resolution=32)}
    drawn = SPACE.sample(np.random.default_rng(0), of_fewer, IMAGE, 4000)
    assert np.bincount(drawn.model.codes) == pytest.approx([2000, 2000], rel=0.1)
    grid = SPACE.grid(of_fewer, IMAGE)
    assert np.bincount(grid.model.codes)[0] > np.bincount(grid.model.codes)[1]


def test_sampling_is_seeded(zoo: dict[str, ZooEntry]) -> None:
    first, second, other = (
        SPACE.sample(np.random.default_rng(seed), zoo, IMAGE, 20).configurations()
        for seed in (3, 3, 4)
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
        ({"bns": ()}, "bns"),
        ({"fitted_heads": ()}, "fitted_heads"),
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
        "caches": True,
        "bns": (BN_ALL,),
        "fitted_heads": (False,),
    }
    with pytest.raises(InvalidInput, match=message):
        RegimeSpace(**(values | change))  # type: ignore[arg-type]


def test_an_empty_zoo() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        SPACE.sample(np.random.default_rng(0), {}, IMAGE, 1)
    assert len(SPACE.grid({}, IMAGE)) == 0
