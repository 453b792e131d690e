"""Reasons: what each group of a candidate's features adds to its predicted accuracy.

A group of the candidate's features, such as its learning rate and schedule, is replaced by that of
the median candidate while the rest stays the same; the loss in predicted accuracy is what the group
adds. The median is that of the default formula, so that reasons from before and after an experience
can be compared. The data are the same for all candidates, so a typical data set replaces them. The
differences need not add up, because features interact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.run_table import MODEL_COLUMNS, PROBE_COLUMNS, TASK_COLUMNS, RunTable
from nasoa.records import Reason

Array = NDArray[np.float64]

GROUPS = {
    "model": (*MODEL_COLUMNS, *PROBE_COLUMNS),
    "learning rate": ("lr", "lr_schedule"),
    "frozen stages": ("frozen_stages", "cached_features", "fitted_head"),
    "batch normalisation": ("bn",),
    "training length": ("iterations",),
    "batch size": ("batch_size",),
    "resolution": ("resolution",),
    "data": TASK_COLUMNS,
}
# The centres of the scales in `nasoa.online.predictor.regime_encoding`.
TYPICAL_TASK = {
    "task": "",
    "num_classes": 16.0,
    "num_images": 2000.0,
    "mean_images_per_class": 125.0,
    "std_images_per_class": 50.0,
    "domain_similarity": 0.9,
    "landmark_accuracy": np.nan,
}
LEAST_GAIN = 0.0005


def reasons(
    chosen: RunTable, median: RunTable, predict: Callable[[RunTable], Array]
) -> list[tuple[Reason, ...]]:
    """Return what the groups of each of `k` chosen candidates add, greatest first.

    Groups that add less than .0005, or are the same as the median's, are left out.

    Args:
        chosen: table of the `k` candidates.
        median: table with the median candidate alone.
        predict: function from a table to the `(n,)` accuracies of its rows, which ignores the
            table's `defaults`.
    """
    k = len(chosen)
    tables = [chosen, *(_swapped(chosen, median, names) for names in GROUPS.values())]
    predicted = predict(RunTable.concat(tables)).reshape(len(tables), k)
    gains = predicted[0] - predicted[1:]
    return [
        tuple(
            Reason(feature=feature, gain=round(float(gain), 4))
            for gain, feature in sorted(zip(gains[:, index], GROUPS, strict=True), key=_size)
            if abs(gain) >= LEAST_GAIN
        )
        for index in range(k)
    ]


def _size(pair: tuple[float, str]) -> float:
    return -abs(pair[0])


def _swapped(chosen: RunTable, median: RunTable, names: tuple[str, ...]) -> RunTable:
    """Replace some columns by those of the median, or the task's by those of a typical task."""
    if names is TASK_COLUMNS:
        return chosen.with_columns(**TYPICAL_TASK)
    return chosen.with_columns(
        **{name: getattr(median, name)[0] for name in names},
    )
