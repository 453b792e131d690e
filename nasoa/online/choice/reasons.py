"""Why a candidate is predicted to do well: what each group of its features adds.

A group of the candidate's features, say its learning rate and schedule, is replaced by that of the
median candidate, the rest stays, and what the predicted accuracy loses is what the group adds. The
median is that of the table of defaults, so that reasons from before and after an experience
compare. For the data, which all candidates share, the replacement is a typical data set. The
differences need not sum to anything: features interact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.regime_table import (
    MODEL_COLUMNS,
    PROBE_COLUMNS,
    TASK_COLUMNS,
    RegimeTable,
)
from nasoa.records import Reason

Array = NDArray[np.float64]

GROUPS = {
    "model": (*MODEL_COLUMNS, *PROBE_COLUMNS, "family"),
    "learning rate": ("lr", "schedule"),
    "frozen stages": ("frozen_stages", "cached", "fitted_head"),
    "batch normalisation": ("adapts_frozen_bn", "adapts_trained_bn"),
    "training length": ("iterations",),
    "batch size": ("batch_size",),
    "resolution": ("resolution",),
    "data": TASK_COLUMNS,
}
# The middle of the scales in `nasoa.online.predictor.regime_encoding`.
TYPICAL_TASK = {
    "num_classes": 16.0,
    "num_images": 2000.0,
    "mean_images_per_class": 125.0,
    "std_images_per_class": 50.0,
    "domain_similarity": 0.9,
    "landmark_accuracy": np.nan,
}
LEAST_GAIN = 0.0005


def reasons(
    chosen: RegimeTable,
    median: RegimeTable,
    predict: Callable[[RegimeTable, NDArray[np.bool_]], Array],
) -> list[tuple[Reason, ...]]:
    """For each of `k` chosen candidates what its groups add, greatest first.

    Groups that add less than .0005, and those that are the same as the median's, are left out.

    Args:
        chosen: `k` rows.
        median: one row.
        predict: `(n,)` accuracies of a table's rows; the second argument, `(n,)`, says which are
            of the task at hand and not of a typical one.
    """
    k = len(chosen)
    tables = [chosen, *(_swapped(chosen, median, names) for names in GROUPS.values())]
    is_own = np.repeat([True, *(names is not TASK_COLUMNS for names in GROUPS.values())], k)
    predicted = predict(_joined(tables), is_own).reshape(len(tables), k)
    gains = predicted[0] - predicted[1:]
    return [
        tuple(
            Reason(feature=feature, gain=round(float(gain), 4))
            for gain, feature in sorted(zip(gains[:, place], GROUPS, strict=True), key=_size)
            if abs(gain) >= LEAST_GAIN
        )
        for place in range(k)
    ]


def _size(pair: tuple[float, str]) -> float:
    return -abs(pair[0])


def _swapped(chosen: RegimeTable, median: RegimeTable, names: tuple[str, ...]) -> RegimeTable:
    """The chosen with some columns from the median; those of the task from a typical one."""
    columns = {
        name: np.full(len(chosen), TYPICAL_TASK[name])
        if name in TYPICAL_TASK
        else np.repeat(getattr(median, name), len(chosen))
        for name in names
    }
    return replace(chosen, **columns)


def _joined(tables: list[RegimeTable]) -> RegimeTable:
    columns = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in fields(RegimeTable)
    }
    return RegimeTable(**columns)
