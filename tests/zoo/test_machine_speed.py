"""What a few timed steps tell of all networks on a machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.zoo.entries import DEPTHWISE_MODEL, REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.machine_speed import (
    MOST_OVERHEAD,
    KindSpeed,
    MachineSpeed,
    intensity_of,
    slope_and_overhead,
)

seconds = st.floats(1e-4, 10.0)


def test_a_model_is_between_the_two_kinds() -> None:
    zoo = packaged_zoo().entries
    dense, depthwise = (intensity_of(zoo[name]) for name in (REFERENCE_MODEL, DEPTHWISE_MODEL))
    assert dense < depthwise
    speed = MachineSpeed(
        dense=KindSpeed(step=0.5, intensity=dense),
        depthwise=KindSpeed(step=8.0, intensity=depthwise),
    )
    assert speed.step_of(zoo[REFERENCE_MODEL]) == pytest.approx(0.5)
    assert speed.step_of(zoo[DEPTHWISE_MODEL]) == pytest.approx(8.0)
    # More activations for each multiply-accumulate than even the depthwise network.
    assert speed.step_of(zoo["mobilenet_v3_small"]) == pytest.approx(8.0)
    # Denser than the dense network.
    assert speed.step_of(zoo["ET-NAS-C"]) == pytest.approx(0.5)


def test_where_both_kinds_are_alike_all_models_are() -> None:
    kind = KindSpeed(step=2.0, intensity=0.01)
    for entry in packaged_zoo().entries.values():
        assert MachineSpeed(dense=kind, depthwise=kind).step_of(entry) == pytest.approx(2.0)


@given(slope=st.floats(0.1, 10.0), small=seconds, more=seconds, overhead_s=st.floats(0.0, 10.0))
def test_slope_and_overhead_are_recovered(
    slope: float, small: float, more: float, overhead_s: float
) -> None:
    large = small + more
    measured = [slope * estimate + overhead_s for estimate in (small, large)]
    found = slope_and_overhead(*measured, small, large)
    if overhead_s <= MOST_OVERHEAD * measured[0]:
        assert found == pytest.approx((slope, overhead_s), rel=1e-5, abs=1e-5)
    assert found[0] * large + found[1] == pytest.approx(measured[1])


@given(small_s=seconds, large_s=seconds, small=seconds, more=seconds)
def test_noise_gives_neither_a_negative_slope_nor_a_negative_overhead(
    small_s: float, large_s: float, small: float, more: float
) -> None:
    """Also where the larger step seems to be the quicker one."""
    slope, overhead_s = slope_and_overhead(small_s, large_s, small, small + more)
    assert slope > 0.0
    assert 0.0 <= overhead_s <= MOST_OVERHEAD * small_s
