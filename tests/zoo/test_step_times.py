"""How sure predicted step times are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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


def test_the_formula_is_as_wrong_as_is_said() -> None:
    """Root mean square of the logarithms on the rows that the package's constants come from."""
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    formula = StepTimes.of([])
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
    assert 0.5 * SCALED_ERROR < np.sqrt(np.mean(np.square(errors))) < SCALED_ERROR
