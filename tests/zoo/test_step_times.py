"""How sure predicted step times are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.step_times import (
    MEASURED_ERROR,
    SCALED_ERROR,
    UNMEASURED_ERROR,
    StepTimes,
    reference_rows,
)


def test_error_by_where_a_time_comes_from() -> None:
    row = reference_rows()[0]
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    added = replace(entry, name="added")
    times = StepTimes.of([row])
    measured = (row.resolution, row.batch_size, row.frozen_stages)
    assert times.relative_error(entry, *measured, cached=False) == MEASURED_ERROR
    assert times.relative_error(entry, *measured, cached=True) == SCALED_ERROR
    assert times.relative_error(entry, 32, 8, -1, cached=False) == SCALED_ERROR
    assert times.relative_error(added, *measured, cached=False) == UNMEASURED_ERROR
    profiled = StepTimes.of([row, replace(row, model="added", batch_size=8)])
    assert profiled.relative_error(added, *measured, cached=False) == SCALED_ERROR
    assert MEASURED_ERROR < SCALED_ERROR < UNMEASURED_ERROR


def test_the_formula_meets_the_rows_that_it_comes_from() -> None:
    """Root mean square of the logarithms, for each model."""
    formula = StepTimes.of([])
    for entry in packaged_zoo().entries.values():
        rows = [row for row in reference_rows() if row.model == entry.name]
        errors = [
            np.log(
                formula.step_time_s(
                    entry, row.resolution, row.batch_size, row.frozen_stages, cached=False
                )
                / row.step_s
            )
            for row in rows
        ]
        assert len(rows) >= 10
        assert np.sqrt(np.mean(np.square(errors))) < 0.05


def test_a_slow_machine_is_told_from_a_slow_model() -> None:
    """What is measured of an added model tells of a machine only where nothing else does."""
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


def test_classifying_is_scaled_from_what_was_measured() -> None:
    for entry in packaged_zoo().entries.values():
        rows = [row for row in reference_rows() if row.model == entry.name]
        measured = np.median([row.eval_image_s for row in rows])
        times = StepTimes.of([])
        assert times.eval_image_s(entry, entry.resolution) == pytest.approx(measured)
        assert times.eval_image_s(entry, entry.resolution // 2) < 0.8 * measured

    other = next(row for row in reference_rows() if row.model != REFERENCE_MODEL)
    slow = StepTimes.of([replace(other, hardware="slow", step_s=10 * other.step_s)])
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    known = StepTimes.of([]).eval_image_s(entry, entry.resolution)
    assert 5 * known < slow.eval_image_s(entry, entry.resolution) < 20 * known
