"""Columns of regimes are equal for candidates of a task, regimes and collected runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.predictor.regime_encoding import SCHEDULES
from nasoa.online.regimes.category import Category
from nasoa.online.regimes.probe_columns import nearest_probe, probe_of_source
from nasoa.online.regimes.regime_space import BNS
from nasoa.online.regimes.run_table import PROBE_COLUMNS, SCHEMA, Kind, RunTable
from nasoa.online.regimes.tabulate import (
    for_task,
    model_columns,
    tabulate,
    tabulate_collected,
    tabulate_experiences,
)
from nasoa.records import (
    BN_ALL,
    BN_FIXED,
    BN_TRAINED,
    CollectedRecord,
    Experience,
    MetaFeatures,
    Probe,
    Regime,
    ZooEntry,
)

RunMaker = Callable[..., Experience]

NAMES = (*SCHEDULES, "unheard of")
accuracies = st.floats(0.0, 1.0)
resolutions = st.integers(8, 512)


def assert_equal(first: RunTable, second: RunTable, *, but: tuple[str, ...] = ()) -> None:
    for name in set(SCHEMA) - {*but}:
        one, other = (getattr(table, name) for table in (first, second))
        if isinstance(one, Category):
            assert one.values() == other.values(), name
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)


some_regimes = st.lists(
    st.builds(
        Regime,
        model=st.sampled_from(("small", "large")),
        lr=st.floats(1e-6, 10.0),
        frozen_stages=st.integers(-1, 4),
        iterations=st.integers(1, 10**6),
        batch_size=st.integers(1, 1024),
        resolution=resolutions,
        lr_schedule=st.sampled_from(NAMES),
        cached_features=st.booleans(),
        fills_limit=st.booleans(),
        bn=st.sampled_from(BNS),
        fitted_head=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def as_candidates(regimes: list[Regime], zoo: dict[str, ZooEntry]) -> RunTable:
    """Return regimes as a space creates them: names as codes among all possible names."""
    models = np.array([list(zoo).index(regime.model) for regime in regimes])
    numbers = {
        name: np.array([getattr(regime, name) for regime in regimes], dtype=np.float64)
        for name, column in SCHEMA.items()
        if column.of == "regime" and column.kind is not Kind.CATEGORY
    }
    schedules = np.array([NAMES.index(regime.lr_schedule) for regime in regimes])
    bns = np.array([BNS.index(regime.bn) for regime in regimes])
    return RunTable.unknown(len(regimes)).with_columns(
        **model_columns(list(zoo.values()), models),
        **numbers,
        lr_schedule=Category(schedules, NAMES),
        bn=Category(bns, BNS),
    )


@st.composite
def some_probes(draw: st.DrawFn) -> list[Probe]:
    probe = st.builds(
        Probe,
        model=st.sampled_from(("small", "large", "other")),
        resolution=resolutions,
        num_images=st.integers(1, 1000),
        accuracy=accuracies,
        reference_accuracy=accuracies,
        source=st.sampled_from(("objects", "things")),
        source_accuracy=accuracies,
        source_classes=st.sampled_from((200, 1000)),
        model_resolution=resolutions,
    )
    return draw(st.lists(probe, max_size=4))


def collected(
    meta: MetaFeatures, entry: ZooEntry, regime: Regime, probe: Probe | None
) -> CollectedRecord:
    return CollectedRecord.of(
        meta,
        entry,
        regime,
        probe,
        dataset="d",
        run_id="r",
        image_resolution=64,
        mirror_safe=True,
        accuracy=0.5,
        val_accuracy=0.5,
        elapsed_s=1.0,
        ended="iterations",
        num_test=10,
        seed=0,
        hardware="cpu",
        code_version="0",
    )


@given(regimes=some_regimes)
def test_a_regime_comes_back_from_the_table_as_it_was(
    meta: MetaFeatures, zoo: dict[str, ZooEntry], regimes: list[Regime]
) -> None:
    of_regimes = tabulate(meta, [zoo[regime.model] for regime in regimes], regimes)
    assert of_regimes.regimes() == regimes
    assert as_candidates(regimes, zoo).regimes() == regimes
    twice = RunTable.concat([of_regimes, as_candidates(regimes, zoo)])
    assert twice.regimes() == regimes + regimes
    assert twice.take(np.arange(len(twice))[::-1]).regimes() == (regimes + regimes)[::-1]


@given(
    regimes=some_regimes,
    probes=some_probes(),
    landmark=st.none() | accuracies,
)
def test_the_same_regime_has_the_same_row_wherever_it_comes_from(
    run: RunMaker,
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
    regimes: list[Regime],
    probes: list[Probe],
    landmark: float | None,
) -> None:
    described = replace(meta, landmark_accuracy=landmark)
    offered = as_candidates(regimes, zoo)
    entries = [zoo[regime.model] for regime in regimes]

    of_candidates = for_task(offered, described, "t", zoo, probes)
    names = ["t"] * len(regimes)
    of_regimes = tabulate(described, entries, regimes, [probes] * len(regimes), names)
    assert_equal(of_candidates, of_regimes)
    done = [run(regime, 0.5, described=described) for regime in regimes]
    done = [replace(one, task=replace(one.task, probes=tuple(probes))) for one in done]
    assert_equal(tabulate_experiences(done), of_regimes, but=("task",))
    # Records contain only the probe of their own model.
    nearest = [nearest_probe(probes, regime.model, regime.resolution) for regime in regimes]
    records = [
        collected(described, entry, regime, probe)
        for entry, regime, probe in zip(entries, regimes, nearest, strict=True)
    ]
    own_only = [[] if probe is None else [probe] for probe in nearest]
    of_records = tabulate(described, entries, regimes, own_only)
    assert_equal(tabulate_collected(records), of_records, but=("task", "fills_limit"))
    # A row does not depend on other rows either.
    one_by_one = [offered.take(np.array([place])) for place in range(len(regimes))]
    for place, own in enumerate(one_by_one):
        alone = for_task(own, described, "t", zoo, probes)
        assert_equal(alone, of_regimes.take(np.array([place])))


def test_configurations_are_told_apart_whatever_their_length(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    regimes = [regime, replace(regime, iterations=7), replace(regime, bn=BN_FIXED), regime]
    table = tabulate(meta, [small_model] * 4, regimes)
    assert table.distinct().regimes() == [regime, regimes[2]]


def test_what_is_not_known_is_not_a_number() -> None:
    table = RunTable.unknown(2)
    assert len(table) == 2
    assert table.task.values() == ["", ""]
    assert np.isnan(table.defaults).all()
    changed = table.with_columns(lr=0.1, task="t", defaults=np.array([1.0, 2.0]))
    assert changed.lr.tolist() == [0.1, 0.1]
    assert changed.task.values() == ["t", "t"]
    assert changed.defaults.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("bn", "cached", "adapts"),
    [
        (BN_ALL, False, (1, 1)),
        (BN_ALL, True, (0, 1)),
        (BN_TRAINED, False, (0, 1)),
        (BN_TRAINED, True, (0, 1)),
        (BN_FIXED, False, (0, 0)),
        (BN_FIXED, True, (0, 0)),
    ],
)
def test_where_statistics_adapt(
    meta: MetaFeatures,
    small_model: ZooEntry,
    regime: Regime,
    bn: str,
    cached: bool,
    adapts: tuple[int, int],
) -> None:
    changed = replace(regime, frozen_stages=2, bn=bn, cached_features=cached)
    table = tabulate(meta, [small_model], [changed])
    assert (table.adapts_frozen_bn[0], table.adapts_trained_bn[0]) == adapts


def probe(
    resolution: int,
    accuracy: float,
    reference: float = 0.5,
    model: str = "small",
    source_accuracy: float = 0.32,
) -> Probe:
    return Probe(
        model=model,
        resolution=resolution,
        num_images=100,
        accuracy=accuracy,
        reference_accuracy=reference,
        source="objects",
        source_accuracy=source_accuracy,
        source_classes=200,
        model_resolution=64,
    )


@pytest.mark.parametrize(
    ("resolution", "nearest"),
    [(32, 64), (64, 64), (88, 64), (96, 128), (128, 128), (224, 128)],
)
def test_the_nearest_probe_of_the_model_counts(
    meta: MetaFeatures,
    small_model: ZooEntry,
    regime: Regime,
    resolution: int,
    nearest: int,
) -> None:
    """On a logarithmic scale: 96 px are nearer to 128 than to 64 px."""
    probes = [probe(64, 0.6), probe(resolution, 0.99, model="large"), probe(128, 0.7)]
    found = nearest_probe(probes, "small", resolution)
    assert found is not None
    assert (found.model, found.resolution) == ("small", nearest)
    table = tabulate(meta, [small_model], [replace(regime, resolution=resolution)], [probes])
    accuracy = {64: 0.6, 128: 0.7}[nearest]
    assert table.probe_gain[0] == pytest.approx(math.log(accuracy / (1 - accuracy)))
    assert table.probe_octaves[0] == pytest.approx(math.log2(resolution / nearest))
    assert table.is_borrowed[0] == 0.0
    assert table.probe_source_accuracy[0] == small_model.source_accuracy


def values_of(
    probes: list[Probe], meta: MetaFeatures, entry: ZooEntry, regime: Regime
) -> dict[str, float]:
    """Return the probe columns of a table with one regime."""
    table = tabulate(meta, [entry], [regime], [probes])
    return {name: float(getattr(table, name)[0]) for name in PROBE_COLUMNS}


def test_an_own_probe_goes_before_a_borrowed_one(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    """This holds for distant resolutions and similar other models too."""
    own, other = probe(224, 0.6), probe(64, 0.9, model="other")
    for probes in ([own, other], [other, own]):
        values = values_of(probes, meta, small_model, regime)
        assert values == values_of([own], meta, small_model, regime)
        assert values["is_borrowed"] == 0.0
    assert values_of([other], meta, small_model, regime)["is_borrowed"] == 1.0


@pytest.mark.parametrize("resolution", [32, 64, 160])
def test_the_probe_nearest_in_source_accuracy_is_borrowed(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime, resolution: int
) -> None:
    """Zooms are compared, since the other model may have another resolution."""
    near = replace(probe(192, 0.7, model="near", source_accuracy=0.4), model_resolution=96)
    below = probe(resolution, 0.8, model="below", source_accuracy=0.2)
    above = probe(resolution, 0.9, model="above", source_accuracy=0.6)
    for probes in ([below, near, above], [near, above, below]):
        assert probe_of_source(probes, small_model) == near
        regime = replace(regime, resolution=resolution)
        values = values_of(probes, meta, small_model, regime)
        assert values["probe_gain"] == pytest.approx(math.log(0.7 / 0.3))
        assert values["probe_octaves"] == pytest.approx(math.log2((resolution / 64) / 2))
        assert values["is_borrowed"] == 1.0
        assert values["probe_source_accuracy"] == 0.4


@pytest.mark.parametrize("change", [{"source": "things"}, {"source_classes": 1000}])
def test_nothing_is_borrowed_from_another_source(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime, change: dict[str, object]
) -> None:
    """Sources with the same name but other classes do not count either."""
    same = probe(64, 0.6, model="same", source_accuracy=0.9)
    other = replace(probe(64, 0.9, model="other"), **change)  # type: ignore[arg-type]
    assert probe_of_source([other], small_model) is None
    assert probe_of_source([other, same], small_model) == same
    assert np.isnan(values_of([other], meta, small_model, regime)["probe_gain"])
    assert values_of([other], meta, small_model, regime)["is_borrowed"] == 0.0


def test_a_probe_of_a_model_itself_is_not_borrowed(small_model: ZooEntry) -> None:
    assert probe_of_source([probe(64, 0.6)], small_model) is None


def test_a_probe_no_better_than_the_reference_has_no_gain(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    found = [[probe(64, 0.7, 0.7)], [probe(64, 0.6, 0.7)], [probe(64, 1.0, 1.0)]]
    gains = tabulate(meta, [small_model] * 3, [regime] * 3, found).probe_gain
    assert gains[0] == gains[2] == 0.0
    assert gains[1] < 0.0


def test_what_was_not_probed_is_not_a_number(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    assert nearest_probe([probe(64, 0.9, model="large")], "small", 64) is None
    for table in (
        tabulate(meta, [small_model], [regime]),
        tabulate(meta, [small_model], [regime], [[]]),
        tabulate_collected([collected(meta, small_model, regime, None)]),
    ):
        assert np.isnan(table.probe_gain).tolist() == [True]
        assert table.probe_octaves.tolist() == [0.0]
        assert table.is_borrowed.tolist() == [0.0]


def test_as_many_probes_as_regimes(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    with pytest.raises((InvalidInput, ValueError)):
        tabulate(meta, [small_model] * 2, [regime] * 2, [[probe(64, 0.5)]])
