"""Why a candidate is predicted to do well: what each group of its features adds.

A group of the candidate's features, say its learning rate and schedule, is replaced by that of the
median candidate, the rest stays, and what the predicted accuracy loses is what the group adds. The
median is that of the table of defaults, so that reasons from before and after an experience
compare. For the data, which all candidates share, the replacement is a typical data set. The
differences need not sum to anything: features interact.
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
# The middle of the scales in `nasoa.online.predictor.regime_encoding`.
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
    """For each of `k` chosen candidates what its groups add, greatest first.

    Groups that add less than .0005, and those that are the same as the median's, are left out.

    Args:
        chosen: `k` rows.
        median: one row.
        predict: `(n,)` accuracies of a table's rows, whatever its column of defaults says.
    """
    k = len(chosen)
    tables = [chosen, *(_swapped(chosen, median, names) for names in GROUPS.values())]
    predicted = predict(RunTable.joined(tables)).reshape(len(tables), k)
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


def _swapped(chosen: RunTable, median: RunTable, names: tuple[str, ...]) -> RunTable:
    """The chosen with some columns from the median; those of the task from a typical one."""
    if names is TASK_COLUMNS:
        return chosen.with_columns(**TYPICAL_TASK)
    return chosen.with_columns(
        **{name: getattr(median, name)[0] for name in names},
    )
