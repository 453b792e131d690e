"""Columns of regimes: the same from a task's candidates, from regimes and from collected runs."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.regimes.candidates import BNS, COLUMNS, CandidateTable, ConfigurationTable
from nasoa.online.regimes.regime_table import (
    PROBE_COLUMNS,
    SCHEDULES,
    RegimeTable,
    nearest_probe,
    probe_of_source,
    tabulate,
    tabulate_collected,
)
from nasoa.records import (
    BN_ALL,
    BN_FIXED,
    BN_TRAINED,
    CollectedRecord,
    MetaFeatures,
    Probe,
    Regime,
    ZooEntry,
)

NAMES = (*SCHEDULES, "unheard of")
accuracies = st.floats(0.0, 1.0)
resolutions = st.integers(8, 512)


def assert_equal(first: RegimeTable, second: RegimeTable) -> None:
    for field in fields(RegimeTable):
        np.testing.assert_array_equal(
            getattr(first, field.name), getattr(second, field.name), err_msg=field.name
        )


@st.composite
def candidates(draw: st.DrawFn) -> list[dict[str, float]]:
    """Cells of `ConfigurationTable`, and `iterations`."""
    row = st.fixed_dictionaries(
        {
            "model": st.integers(0, 1),
            "lr": st.floats(1e-6, 10.0),
            "frozen_stages": st.integers(-1, 4),
            "batch_size": st.integers(1, 1024),
            "schedule": st.integers(0, len(NAMES) - 1),
            "resolution": resolutions,
            "cached": st.integers(0, 1),
            "bn": st.integers(0, len(BNS) - 1),
            "fitted_head": st.integers(0, 1),
            "iterations": st.integers(1, 10**6),
        }
    )
    return draw(st.lists(row, min_size=1, max_size=6))


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
        native_resolution=64,
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


@given(rows=candidates(), probes=some_probes(), landmark=st.none() | accuracies)
def test_the_same_regime_has_the_same_row_wherever_it_comes_from(
    meta: MetaFeatures,
    zoo: dict[str, ZooEntry],
    rows: list[dict[str, float]],
    probes: list[Probe],
    landmark: float | None,
) -> None:
    described = replace(meta, landmark_accuracy=landmark)
    columns = np.array([[row[name] for row in rows] for name in COLUMNS])
    lengths = np.array([row["iterations"] for row in rows], dtype=np.int64)
    offered = CandidateTable(
        configurations=ConfigurationTable.of_columns(tuple(zoo), NAMES, columns),
        iterations=lengths,
        fills_limit=np.zeros(len(rows), dtype=np.bool_),
        seconds=np.zeros(len(rows)),
    )
    regimes = offered.regimes()
    entries = [zoo[regime.model] for regime in regimes]

    of_candidates = offered.table(described, zoo, probes)
    of_regimes = tabulate(described, entries, regimes, [probes] * len(regimes))
    assert_equal(of_candidates, of_regimes)
    # Records have the probe of the model alone.
    nearest = [nearest_probe(probes, regime.model, regime.resolution) for regime in regimes]
    records = [
        collected(described, entry, regime, probe)
        for entry, regime, probe in zip(entries, regimes, nearest, strict=True)
    ]
    own_only = [[] if probe is None else [probe] for probe in nearest]
    assert_equal(tabulate_collected(records), tabulate(described, entries, regimes, own_only))
    # Nor does a row depend on what other rows there are.
    one_by_one = [offered.take(np.array([place])) for place in range(len(rows))]
    for place, own in enumerate(one_by_one):
        assert_equal(own.table(described, zoo, probes), of_regimes.take(np.array([place])))


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
    """What a table says of probes, for one regime."""
    table = tabulate(meta, [entry], [regime], [probes])
    return {name: float(getattr(table, name)[0]) for name in PROBE_COLUMNS}


def test_an_own_probe_goes_before_a_borrowed_one(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    """However far its resolution is, and however alike the other model."""
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
    """Zooms are compared, since the other model may be of another resolution."""
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
    """Nor where a source of the same name has other classes."""
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
