"""Step times of a model: measured as often as asked for, or until a bound of seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasoa.arch import build_network, parse
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store
from nasoa.training.hardware import hardware_key
from nasoa.training.precision import best_precision
from nasoa.training.timing import WARMUP, TimedSteps


@pytest.mark.parametrize(("longest_s", "made"), [(60.0, WARMUP + 4), (0.0, WARMUP + 1)])
def test_repeats_end_at_the_bound(longest_s: float, made: int) -> None:
    network = build_network(parse("10001- 64 411-2111-211111-211"), 3)
    precision = best_precision()
    precision.place(network)
    timed = TimedSteps(
        network, precision, frozen_stages=-1, resolution=32, batch_size=2, longest_s=longest_s
    )
    forwards = []
    network.register_forward_hook(lambda *_: forwards.append(1))
    assert timed.forward_s(4) > 0
    assert len(forwards) == made


def test_calibration_is_kept_and_scales_what_comes_with_the_package(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    row = zoo_steps.calibrate(store)
    assert row.step_s > row.eval_image_s > 0
    times = zoo_steps.step_times(store, hardware_key())
    assert list(times.rows.values()) == [row]
    entry = zoo_steps.load_zoo(store).entry(row.model)
    assert times.step_time_s(entry, row.resolution, 64, -1, cached=False) == row.step_s
    # A smaller batch was not measured here, and takes less.
    assert 0 < times.step_time_s(entry, row.resolution, 32, -1, cached=False) < row.step_s
