"""The feature vector that the predictor takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.predictor.regime_encoding import FEATURE_NAMES, LAYOUT, encode
from nasoa.online.regimes.tabulate import tabulate
from nasoa.records import BN_FIXED, BN_TRAINED, FITTED, MetaFeatures, Probe, Regime, ZooEntry
from nasoa.training.schedules import SCHEDULES
from tests.encoded_regimes import encode_regimes


def vector(meta: MetaFeatures, entry: ZooEntry, regime: Regime) -> np.ndarray:
    """Return the vector of one regime."""
    return encode_regimes(meta, [entry], [regime])[0]


def changed(before: np.ndarray, after: np.ndarray) -> set[str]:
    """Return the features that differ, except the default formula's."""
    is_same = (before == after) | (np.isnan(before) & np.isnan(after))
    return {FEATURE_NAMES[i] for i in np.flatnonzero(~is_same)} - {"defaults_log_odds"}


def test_layout_is_pinned() -> None:
    # A changed vector needs a new layout name, because predictors are stored with it.
    assert LAYOUT == "nasoa-features-4"
    assert FEATURE_NAMES == (
        "log10_classes",
        "log10_images",
        "log10_mean_images_per_class",
        "relative_std_images_per_class",
        "log10_domain_distance",
        "landmark_log_odds_over_chance",
        "source_accuracy",
        "log10_source_classes",
        "log10_params",
        "log10_macs",
        "log10_activations",
        "log10_lr",
        "log10_lr_at_batch_64",
        "frozen_stages",
        "head_only",
        "cached_features",
        "log10_iterations",
        "log10_epochs",
        "log10_images_seen_per_class",
        "log10_batch_size",
        "log10_resolution",
        "log2_zoom",
        "log2_enlargement",
        "fitted_head",
        "adapts_frozen_bn",
        "adapts_trained_bn",
        "is_probed",
        "probe_gain",
        "probe_octaves",
        "is_borrowed",
        "defaults_log_odds",
        "schedule_constant",
        "schedule_step",
        "schedule_cosine",
        "schedule_one_cycle",
        "schedule_horizonless",
        "schedule_fitted",
    )


def test_values_by_hand(meta: MetaFeatures, small_model: ZooEntry, regime: Regime) -> None:
    values = dict(zip(FEATURE_NAMES, vector(meta, small_model, regime), strict=True))
    assert values["log10_classes"] == pytest.approx((1.0 - 1.2) / 0.6)
    assert values["log10_lr"] == pytest.approx(0.5)
    assert values["relative_std_images_per_class"] == pytest.approx((20 / 130 - 0.4) / 0.5)
    assert values["log10_domain_distance"] == pytest.approx((np.log10(8.1) - 1.05) / 0.2)
    assert values["log10_epochs"] == pytest.approx((np.log10(400 * 64 / 1300) - 1.0) / 0.7)
    assert values["schedule_cosine"] == 1.0
    assert np.isnan(values["landmark_log_odds_over_chance"])
    seen = np.log10(400 * 64 / 10)
    assert values["log10_images_seen_per_class"] == pytest.approx((seen - 3.0) / 0.8)
    expected = DefaultPrior.packaged().predict(meta, [small_model], [regime])[0]
    log_odds = np.log(expected / (1 - expected))
    assert values["defaults_log_odds"] == pytest.approx((log_odds - 0.5) / 1.5)
    assert values["schedule_step"] == 0.0


def test_landmark_counts_from_chance(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    def landmark(accuracy: float, num_classes: int) -> float:
        task = replace(meta, landmark_accuracy=accuracy, num_classes=num_classes)
        values = vector(task, small_model, regime)
        return float(values[FEATURE_NAMES.index("landmark_log_odds_over_chance")])

    assert landmark(0.5, 2) == pytest.approx(landmark(0.1, 10)) == pytest.approx(-3.5 / 1.5)
    assert landmark(0.5, 10) > landmark(0.5, 5) > landmark(0.4, 5)


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"lr": 0.02}, {"log10_lr", "log10_lr_at_batch_64"}),
        ({"iterations": 100}, {"log10_iterations", "log10_epochs", "log10_images_seen_per_class"}),
        (
            {"batch_size": 32},
            {
                "log10_batch_size",
                "log10_epochs",
                "log10_images_seen_per_class",
                "log10_lr_at_batch_64",
            },
        ),
        ({"frozen_stages": 2}, {"frozen_stages"}),
        ({"frozen_stages": 4}, {"frozen_stages", "head_only"}),
        # Statistics of a cached part never adapt.
        ({"cached_features": True}, {"cached_features", "adapts_frozen_bn"}),
        ({"fitted_head": True}, {"fitted_head"}),
        ({"bn": BN_TRAINED}, {"adapts_frozen_bn"}),
        ({"bn": BN_FIXED}, {"adapts_frozen_bn", "adapts_trained_bn"}),
        (
            {"resolution": 96},
            {
                "log10_resolution",
                "log2_zoom",
                "log2_enlargement",
                "log10_macs",
                "log10_activations",
            },
        ),
        ({"lr_schedule": "step"}, {"schedule_cosine", "schedule_step"}),
        ({"lr_schedule": FITTED}, {"schedule_cosine", "schedule_fitted"}),
        ({"lr_schedule": "new"}, {"schedule_cosine"}),
        ({"fills_limit": False}, set()),
    ],
)
def test_what_a_regime_changes(
    meta: MetaFeatures,
    small_model: ZooEntry,
    regime: Regime,
    change: dict[str, object],
    columns: set[str],
) -> None:
    before = vector(meta, small_model, regime)
    after = vector(meta, small_model, replace(regime, **change))  # type: ignore[arg-type]
    assert changed(before, after) == columns


def test_a_model_is_what_it_can_not_what_it_is_called(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    twin = replace(small_model, name="twin", encoding="other", family="other")
    np.testing.assert_array_equal(vector(meta, small_model, regime), vector(meta, twin, regime))


def test_every_schedule_has_a_column() -> None:
    assert {f"schedule_{name}" for name in (*SCHEDULES, FITTED)} <= set(FEATURE_NAMES)


def encoded(meta: MetaFeatures, entry: ZooEntry, regime: Regime, probes: list[Probe]) -> np.ndarray:
    """Return the vector of a regime on a task with these probes."""
    table = tabulate(meta, [entry], [regime], [probes])
    defaults = DefaultPrior.packaged().log_odds(table)
    return encode(table.with_columns(defaults=defaults))[0]


def test_a_probe_is_what_it_is_above_the_reference(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    probe = Probe(
        model="small", resolution=128, num_images=200, accuracy=0.8, reference_accuracy=0.5
    )
    probed, unprobed = (
        dict(
            zip(
                FEATURE_NAMES,
                encoded(meta, small_model, regime, known),
                strict=True,
            )
        )
        for known in ([probe], [])
    )
    assert (unprobed["is_probed"], unprobed["probe_gain"], unprobed["probe_octaves"]) == (0, 0, 0)
    assert probed["is_probed"] == 1
    assert probed["probe_gain"] == pytest.approx(np.log(0.8 / 0.2) - 0.5)
    assert probed["probe_octaves"] == -1  # the probe had twice the regime's resolution
    names = {n for n in FEATURE_NAMES if probed[n] != pytest.approx(unprobed[n], nan_ok=True)}
    assert names == {"is_probed", "probe_gain", "probe_octaves", "defaults_log_odds"}


def test_a_borrowed_probe_is_told_from_an_own_one(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    of_twin = Probe(
        model="twin", resolution=64, num_images=200, accuracy=0.8, reference_accuracy=0.5,
        source="objects", source_accuracy=0.32, source_classes=200, model_resolution=64,
    )  # fmt: skip
    own, borrowed = (
        encoded(meta, small_model, regime, [known])
        for known in (replace(of_twin, model="small"), of_twin)
    )
    # It is as good on the source as the other model, so the same gain is expected.
    assert changed(own, borrowed) == {"is_borrowed"}
    assert borrowed[FEATURE_NAMES.index("is_borrowed")] == 1.0


def test_many_equal_one_by_one(
    meta: MetaFeatures, zoo: dict[str, ZooEntry], regime: Regime
) -> None:
    other = replace(meta, num_classes=100, num_images=9000)
    regimes = [replace(regime, lr=lr, model=m) for lr in (0.1, 0.01) for m in zoo]
    entries = [zoo[r.model] for r in regimes]
    metas = [meta, other, meta, other]
    rows = encode_regimes(metas, entries, regimes)
    assert rows.shape == (4, len(FEATURE_NAMES))
    for row, m, e, r in zip(rows, metas, entries, regimes, strict=True):
        np.testing.assert_array_equal(row, vector(m, e, r))
    assert encode_regimes(meta, [], []).shape == (0, len(FEATURE_NAMES))


def test_numbers_that_do_not_match(
    meta: MetaFeatures, small_model: ZooEntry, regime: Regime
) -> None:
    with pytest.raises(InvalidInput, match="as many"):
        encode_regimes(meta, [small_model], [regime, regime])
    with pytest.raises(InvalidInput, match="as many"):
        encode_regimes([meta], [small_model, small_model], [regime, regime])


@given(
    num_classes=st.integers(1, 100_000),
    num_images=st.integers(1, 10**9),
    similarity=st.floats(1e-6, 1.0),
    lr=st.floats(1e-9, 1e3),
    iterations=st.integers(1, 10**8),
    frozen=st.integers(-1, 4),
    batch=st.integers(1, 10**5),
    resolution=st.integers(8, 2048),
    landmark=st.none() | st.floats(0.0, 1.0),
)
def test_always_finite_and_bounded(
    num_classes: int,
    num_images: int,
    similarity: float,
    lr: float,
    iterations: int,
    frozen: int,
    batch: int,
    resolution: int,
    landmark: float | None,
) -> None:
    missing = ["landmark_log_odds_over_chance"] if landmark is None else []
    meta = MetaFeatures(
        num_classes=num_classes,
        num_images=num_images,
        mean_images_per_class=num_images / num_classes,
        std_images_per_class=0.0,
        domain_similarity=similarity,
        landmark_accuracy=landmark,
    )
    entry = ZooEntry(
        name="m", family="f", encoding="", num_params=1000, part_macs=(10**6,),
        part_activations=(10**4,), resolution=224, mean=(0, 0, 0), std=(1, 1, 1),
        num_classes=1000, source="s", source_accuracy=0.7,
    )  # fmt: skip
    regime = Regime(
        model="m", lr=lr, frozen_stages=frozen, iterations=iterations, batch_size=batch,
        resolution=resolution, lr_schedule="cosine",
    )  # fmt: skip
    row = vector(meta, entry, regime)
    assert [FEATURE_NAMES[i] for i in np.flatnonzero(~np.isfinite(row))] == missing
    assert np.nanmax(np.abs(row)) <= 3.0
