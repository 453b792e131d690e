"""Step times by formula and by measurement, and their errors."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nasoa.records import HEAD_ONLY, Probe, ZooEntry
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.machine_speed import KindSpeed, MachineSpeed
from nasoa.zoo.step_times import (
    MEASURED_ERROR,
    PROBED_ERROR,
    SCALED_ERROR,
    UNMEASURED_ERROR,
    StepTime,
    StepTimes,
    reference_rows,
)
from nasoa.zoo.task_size import TaskSize


def test_error_by_where_a_time_comes_from() -> None:
    row = next(r for r in reference_rows() if r.frozen_stages == 1)
    row = replace(row, cached_step_s=0.0)
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    added = replace(entry, name="added")
    times = StepTimes.of([row])
    measured = (row.resolution, row.batch_size, row.frozen_stages)
    assert times.relative_error(entry, *measured, cached=False) == MEASURED_ERROR
    assert times.relative_error(entry, *measured, cached=True) == SCALED_ERROR
    on_features = StepTimes.of([replace(row, cached_step_s=0.5 * row.step_s)])
    assert on_features.relative_error(entry, *measured, cached=True) == MEASURED_ERROR
    assert times.relative_error(entry, 32, 8, -1, cached=False) == SCALED_ERROR
    assert times.relative_error(added, *measured, cached=False) == UNMEASURED_ERROR
    profiled = StepTimes.of([row, replace(row, model="added", batch_size=8)])
    assert profiled.relative_error(added, *measured, cached=False) == SCALED_ERROR
    assert MEASURED_ERROR < SCALED_ERROR < UNMEASURED_ERROR


CASES = [(-1, False), (2, False), (2, True)]  # frozen stages, and whether features are cached


def speed(image: float, step: float, overhead_s: float = 0.0) -> MachineSpeed:
    """The speed of a machine that is the same for all networks."""
    kind = KindSpeed(step=step)
    return MachineSpeed(image=image, dense=kind, depthwise=kind, overhead_s=overhead_s)


def probe(model: str, resolution: int, image_s: float) -> Probe:
    return Probe(
        model=model,
        resolution=resolution,
        num_images=100,
        accuracy=0.5,
        reference_accuracy=0.5,
        image_s=image_s,
    )


def test_what_a_probe_took_scales_its_model_and_the_others_of_its_family() -> None:
    zoo = packaged_zoo().entries
    lite0, lite1, other = (zoo[n] for n in ("efficientnet-lite0", "efficientnet-lite1", "ET-NAS-C"))
    plain = StepTimes.of([])
    took = 3 * plain.eval_image_s(lite0, 128)
    probes = [probe(lite0.name, 128, took), probe(other.name, 64, 0.0)]
    times = plain.adjusted(zoo, probes, speed(2.0, 2.0))
    for entry, factor in ((lite0, 3), (lite1, 3), (other, 2)):
        for resolution in (64, 192):
            found = times.eval_image_s(entry, resolution)
            assert found == pytest.approx(factor * plain.eval_image_s(entry, resolution))
            # What is trained is scaled by the steps that were timed, not by a probe's images.
            step = (entry, resolution, 32, -1, False)
            assert times.step_time_s(*step) == pytest.approx(2.0 * plain.step_time_s(*step))
    assert times.relative_error(lite1, 128, 32, 3, True) == PROBED_ERROR
    assert times.relative_error(other, 64, 32, 3, True) == SCALED_ERROR
    # A measured step is not scaled.
    own = [replace(row, hardware="here") for row in reference_rows() if row.model == lite0.name]
    profiled = StepTimes.of(own)
    again = profiled.adjusted(zoo, [probe(lite0.name, 128, took)], speed(2.0, 3.0, 0.1))
    assert again.eval_image_s(lite0, 160) == profiled.eval_image_s(lite0, 160)
    step = (lite0, 160, 48, 1, False)
    assert again.step_time_s(*step) == profiled.step_time_s(*step)
    # An unknown model changes nothing.
    assert plain.adjusted({}, [probe("gone", 64, 1.0)], speed(1.0, 1.0)).adjustments == {}


def test_training_is_scaled_by_itself_and_the_frozen_part_is_not() -> None:
    """Processors differ in how much longer training takes than computing features."""
    zoo = packaged_zoo().entries
    plain = StepTimes.of([])
    slow = plain.adjusted(zoo, [], speed(1.0, 1.5))
    for entry in zoo.values():
        before, after = (
            [times.step_time_s(entry, 64, 32, frozen, cached) for frozen, cached in CASES]
            for times in (plain, slow)
        )
        assert slow.eval_image_s(entry, 64) == plain.eval_image_s(entry, 64)
        whole, mixed, on_features = (a / b for a, b in zip(after, before, strict=True))
        assert [whole, on_features] == pytest.approx([1.5, 1.5])
        assert 1.0 < mixed < 1.5


def test_an_overhead_is_added_to_every_training_step_and_to_nothing_else() -> None:
    zoo = packaged_zoo().entries
    plain = StepTimes.of([])
    late = plain.adjusted(zoo, [], speed(1.0, 1.0, overhead_s=0.01))
    for entry in zoo.values():
        assert late.eval_image_s(entry, 64) == plain.eval_image_s(entry, 64)
        head = (entry, 64, 32, HEAD_ONLY, True)
        assert late.step_time_s(*head) == plain.step_time_s(*head)
        for frozen, cached in CASES:
            step = (entry, 64, 32, frozen, cached)
            assert late.step_time_s(*step) == pytest.approx(plain.step_time_s(*step) + 0.01)


def test_the_formula_meets_the_rows_that_it_comes_from() -> None:
    """The root mean square of the logarithms, for each model."""
    formula = StepTimes.of([])
    entries = packaged_zoo().entries
    known = {row.model for row in reference_rows()}
    assert known == set(entries)
    for name in known:
        rows = [r for r in reference_rows() if r.model == name and r.frozen_stages < HEAD_ONLY]
        errors = [
            np.log(
                formula.step_time_s(
                    entries[name], row.resolution, row.batch_size, row.frozen_stages, cached=False
                )
                / row.step_s
            )
            for row in rows
        ]
        assert len(rows) >= 10
        # No larger than the stated error of times that come from such rows.
        assert np.sqrt(np.mean(np.square(errors))) < SCALED_ERROR
        assert abs(np.mean(errors)) < 0.05


def test_a_slow_machine_is_told_from_a_slow_model() -> None:
    """Measurements of an added model count for the machine only if there are no others."""
    row = next(r for r in reference_rows() if r.model == REFERENCE_MODEL)
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    added = replace(entry, name="added")
    on_reference = StepTimes.of([]).step_time_s(entry, 64, 48, -1, cached=False)
    slow_model = replace(row, model="added", step_s=7 * row.step_s)
    both = StepTimes.of([row, slow_model])
    alone = StepTimes.of([slow_model])
    for times, factor in ((both, 1.0), (alone, 7.0)):
        seconds = times.step_time_s(entry, 64, 48, -1, cached=False)
        assert seconds == pytest.approx(factor * on_reference, rel=0.5)
        assert times.step_time_s(added, 64, 48, -1, cached=False) > 4 * on_reference


def test_classifying_is_what_was_measured_where_it_was() -> None:
    times = StepTimes.of([])
    for name in {row.model for row in reference_rows()}:
        entry = packaged_zoo().entry(name)
        by_resolution: dict[int, list[float]] = {}
        for row in reference_rows():
            if row.model == name:
                by_resolution.setdefault(row.resolution, []).append(row.eval_image_s)
        for resolution, measured in by_resolution.items():
            found = times.eval_image_s(entry, resolution)
            assert found == pytest.approx(statistics.geometric_mean(measured), rel=0.01)

    entry = packaged_zoo().entry(REFERENCE_MODEL)
    known = times.eval_image_s(entry, entry.resolution)
    assert times.eval_image_s(entry, entry.resolution // 2) < 0.8 * known
    other = next(row for row in reference_rows() if row.model != REFERENCE_MODEL)
    slow = StepTimes.of([replace(other, hardware="slow", step_s=10 * other.step_s)])
    assert 5 * known < slow.eval_image_s(entry, entry.resolution) < 20 * known


MADE = ZooEntry(
    name="made",
    family="made",
    encoding="",
    num_params=1_000_000,
    part_macs=(20_000_000, 30_000_000, 30_000_000, 40_000_000, 40_000_000, 128_000),
    part_activations=(40_000, 60_000, 60_000, 80_000, 80_000, 256),
    resolution=128,
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
    num_classes=1000,
    source="none",
    source_accuracy=0.5,
)
# Ratio to the seconds of a machine that computes small maps as efficiently as large ones.
UNEVEN = {32: 1.6, 64: 1.25, 128: 1.0, 224: 0.9}


def true_step_s(resolution: int, batch_size: int, frozen_stages: int, cost: float) -> float:
    """Seconds of a step where a frozen part costs a third of a trained one."""
    macs = (resolution / MADE.resolution) ** 2 * np.array(MADE.part_macs)
    cut = frozen_stages + 1
    return cost * batch_size * (1e-11 * macs[:cut].sum() + 3e-11 * macs[cut:].sum())


def made_row(resolution: int, batch_size: int, frozen_stages: int) -> StepTime:
    cost, scale = UNEVEN[resolution], (resolution / MADE.resolution) ** 2
    return StepTime(
        hardware="made",
        model=MADE.name,
        resolution=resolution,
        batch_size=batch_size,
        frozen_stages=frozen_stages,
        step_s=true_step_s(resolution, batch_size, frozen_stages, cost),
        eval_image_s=true_step_s(resolution, 1, 5, cost),
        part_macs=tuple(round(scale * macs) for macs in MADE.part_macs),
        part_activations=tuple(round(scale * count) for count in MADE.part_activations),
    )


ROWS = tuple(made_row(r, batch, frozen) for r in UNEVEN for batch in (16, 64) for frozen in (3, -1))
OWN = StepTimes.of(ROWS)
AS_REFERENCE = StepTimes({}, ROWS)


@pytest.mark.parametrize("times", [OWN, AS_REFERENCE], ids=["own", "reference"])
@pytest.mark.parametrize("frozen", [3, -1])
def test_steps_follow_what_was_measured_at_the_resolutions_nearby(
    times: StepTimes, frozen: int
) -> None:
    def step_s(resolution: int) -> float:
        return times.step_time_s(MADE, resolution, 32, frozen, cached=False)

    # A batch size between the measured ones.
    for resolution, cost in UNEVEN.items():
        assert step_s(resolution) == pytest.approx(true_step_s(resolution, 32, frozen, cost), 0.1)
    # Between two measured resolutions: interpolated in the logarithms.
    for low, high in pairwise(UNEVEN):
        middle = round(math.sqrt(low * high))
        cost = math.sqrt(UNEVEN[low] * UNEVEN[high])
        assert step_s(middle) == pytest.approx(true_step_s(middle, 32, frozen, cost), 0.1)
    # Beyond them: like the nearest.
    assert step_s(448) == pytest.approx(true_step_s(448, 32, frozen, UNEVEN[224]), 0.1)


@pytest.mark.parametrize("times", [OWN, AS_REFERENCE], ids=["own", "reference"])
def test_images_without_gradients_follow_the_resolutions_too(times: StepTimes) -> None:
    for resolution, cost in {**UNEVEN, 90: math.sqrt(UNEVEN[64] * UNEVEN[128])}.items():
        expected = true_step_s(resolution, 1, 5, cost)
        assert times.eval_image_s(MADE, resolution) == pytest.approx(expected, 0.05)
        parts = [times.frozen_image_s(MADE, resolution, frozen) for frozen in range(-1, 6)]
        assert parts[0] == 0.0
        assert parts == sorted(parts)
        assert parts[-1] == pytest.approx(expected, 0.05)
        shares = np.cumsum(MADE.part_macs) / sum(MADE.part_macs)
        assert np.array(parts[1:]) / parts[-1] == pytest.approx(shares, abs=0.1)


def test_rows_of_ones_own_count_as_they_are() -> None:
    odd = replace(ROWS[0], step_s=2 * ROWS[0].step_s, eval_image_s=2 * ROWS[0].eval_image_s)
    times = StepTimes.of([odd, *ROWS[1:]])
    at = (MADE, odd.resolution, odd.batch_size, odd.frozen_stages)
    assert times.step_time_s(*at, cached=False) == odd.step_s
    assert times.eval_image_s(MADE, odd.resolution) == odd.eval_image_s
    # Steps that omit the frozen part were not measured.
    assert times.step_time_s(*at, cached=True) < odd.step_s
    # Other sizes are unchanged.
    usual = OWN.step_time_s(MADE, 224, 64, 3, cached=False)
    assert times.step_time_s(MADE, 224, 64, 3, cached=False) == pytest.approx(usual, 0.1)


def test_cached_steps_leave_the_frozen_part_out() -> None:
    for resolution, frozen in itertools.product((64, 128), (0, 1, 3)):
        whole = OWN.step_time_s(MADE, resolution, 32, frozen, cached=False)
        rest = OWN.step_time_s(MADE, resolution, 32, frozen, cached=True)
        left_out = 32 * OWN.frozen_image_s(MADE, resolution, frozen)
        assert rest + left_out == pytest.approx(whole, 0.1)


def test_cached_steps_follow_their_own_measurements() -> None:
    """Here the trained part takes twice as long on features as the formula would have it."""
    rows = [
        replace(
            row, cached_step_s=2 * OWN.step_time_s(MADE, row.resolution, row.batch_size, 3, True)
        )
        if row.frozen_stages == 3
        else row
        for row in ROWS
    ]
    times = StepTimes.of(rows)
    for row in rows:
        if row.frozen_stages == 3:
            exact = times.step_time_s(MADE, row.resolution, row.batch_size, 3, cached=True)
            assert exact == row.cached_step_s
    for resolution in (64, 90, 128):
        usual = OWN.step_time_s(MADE, resolution, 32, 3, cached=True)
        assert times.step_time_s(MADE, resolution, 32, 3, cached=True) == pytest.approx(
            2 * usual, 0.2
        )
        whole = OWN.step_time_s(MADE, resolution, 32, 3, cached=False)
        assert times.step_time_s(MADE, resolution, 32, 3, cached=False) == pytest.approx(whole, 0.2)


@pytest.mark.parametrize("row", ROWS[4::3], ids=lambda row: f"{row.resolution} px")
def test_one_row_measured_where_the_reference_was_changes_nothing(row: StepTime) -> None:
    """On a machine that is twice as slow, everything takes twice as long."""
    other = replace(MADE, name="other")
    for factor in (1.0, 2.0):
        measured = replace(row, hardware="here", step_s=factor * row.step_s)
        key = (row.model, row.resolution, row.batch_size, row.frozen_stages)
        times = StepTimes({key: measured}, ROWS)
        for entry, resolution, frozen in itertools.product((MADE, other), (64, 224), (3, -1)):
            expected = factor * AS_REFERENCE.step_time_s(entry, resolution, 32, frozen, False)
            found = times.step_time_s(entry, resolution, 32, frozen, cached=False)
            assert found == pytest.approx(expected, 0.1)


def test_fitting_a_head_takes_seconds_by_weights_and_images() -> None:
    few, some, many = (OWN.fit_s(MADE, count, 10) for count in (500, 1000, 20_000))
    assert few > 0
    assert 1.5 * few < some < 2.1 * few
    # The axes of the features are the same for any number of classes.
    more = [OWN.fit_s(MADE, 1000, 10 + added) - some for added in (10, 20)]
    assert more[1] == pytest.approx(2 * more[0])
    assert 0.5 * some < more[0] <= some
    # The penalty is chosen on a bounded number of images.
    assert 4 * some < many < 20 * some
    slow = replace(OWN, speed=MachineSpeed(fit=5.0))
    assert slow.fit_s(MADE, 1000, 10) == pytest.approx(5 * some)


def test_a_step_of_a_head_alone_is_a_batch_of_features() -> None:
    for times in (OWN, AS_REFERENCE):
        found = times.step_time_s(MADE, 128, 48, HEAD_ONLY, cached=True)
        assert found == pytest.approx(48 * times.eval_image_s(MADE, 128))


def test_fixed_costs_are_of_what_is_computed_once() -> None:
    image_s = OWN.eval_image_s(MADE, 128)

    def fixed_s(num_train: int, frozen_stages: int, cached: bool) -> float:
        size = TaskSize(num_train=num_train, num_val=100, num_test=300, num_classes=10)
        found = OWN.fixed_s(MADE, 128, size, frozen_stages, cached)
        return found if frozen_stages == HEAD_ONLY else found - OWN.fit_s(MADE, num_train, 10)

    # Cached: the features of all images; for a head alone, those count as its steps.
    assert fixed_s(9000, 3, True) - fixed_s(1000, 3, True) == pytest.approx(8000 * image_s)
    assert fixed_s(9000, HEAD_ONLY, True) == pytest.approx(fixed_s(1000, HEAD_ONLY, True))
    assert fixed_s(1000, 3, True) - fixed_s(1000, HEAD_ONLY, True) == pytest.approx(1000 * image_s)
    # Not cached: the features of some images, for the first head.
    more_fitting_s = OWN.fit_s(MADE, 9000, 10) - OWN.fit_s(MADE, 1000, 10)
    more_s = fixed_s(9000, 3, False) - fixed_s(1000, 3, False)
    assert -more_fitting_s <= more_s < 0.1 * 8000 * image_s
    for frozen_stages, cached in ((3, True), (HEAD_ONLY, True), (3, False)):
        assert fixed_s(1000, frozen_stages, cached) > 100 * image_s


def test_images_on_disk_are_read_each_time_that_they_are_used() -> None:
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    there = StepTimes.of([])
    size = TaskSize(num_train=400, num_val=50, num_test=100, num_classes=4)
    on_disk = replace(there, loading_s=0.5)

    def added(kind: str, *arguments: object, **named: object) -> float:
        return float(getattr(on_disk, kind)(*arguments, **named)) - float(
            getattr(there, kind)(*arguments, **named)
        )

    assert added("eval_image_s", entry, 64) == pytest.approx(0.5)
    assert added("step_time_s", entry, 64, 16, 2, cached=False) == pytest.approx(8.0)
    assert added("step_time_s", entry, 64, 16, HEAD_ONLY, cached=True) == pytest.approx(8.0)
    # Cached features are read once.
    assert added("step_time_s", entry, 64, 16, 2, cached=True) == 0.0
    assert added("fixed_s", entry, 64, size, 2, cached=True) == pytest.approx(0.5 * 450)
