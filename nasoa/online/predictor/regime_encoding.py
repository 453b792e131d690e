"""Encoding of task, model and regime as one feature vector for the predictor.

The features are the variables of section 3.2.1, on the scales they act on (learning rate,
iterations, images and sizes by their logarithm); variables that the paper holds fixed and nasoa
does not: batch size, resolution, schedule and cached features; the landmark; and the expectation of
the default formula. Departure: the paper encodes the model as a one-hot variable. Here it is
described by size, cost, source accuracy and family, so that adding a model to the zoo does not
change the layout, and its predictions start from what is known of similar models.

Every number is shifted and scaled by constants that put its usual range into about [-2, 2], then
clipped to [-3, 3]. Nothing is fitted, so a vector never depends on the order of tasks. `LAYOUT`
names all of this; it is stored with a predictor, which must not be used with another layout. Family
and data set are appended as codes (`nasoa.online.predictor.experience_rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.records import FITTED

Array = NDArray[np.float64]

LAYOUT = "nasoa-features-4"
BOUND = 3.0
_LEAST = 1e-6
# For any other schedule, all of these features are 0.
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "horizonless", FITTED)
UNPROBED_GAIN = 0.5  # centre of the feature's scale
ENLARGED = 0.5  # likewise, in octaves


@dataclass(frozen=True)
class Feature:
    """One number of a vector: `(values(table) - centre) / scale`.

    Centres and scales are round numbers chosen for tasks of 2 to 200 classes and 100 to 100,000
    images, and models of 1 to 100 million parameters.
    """

    values: Callable[[RunTable], Array]
    centre: float
    scale: float


def _chance_log_odds(table: RunTable) -> Array:
    chance = 1.0 / np.maximum(table.num_classes, 2.0)
    return np.asarray(np.log(chance) - np.log1p(-chance), dtype=np.float64)


def _log10(values: Array) -> Array:
    """Return logarithms of what may be 0, as the iterations of a training that had no time."""
    return np.asarray(np.log10(np.maximum(values, _LEAST)), dtype=np.float64)


def _of_schedule(name: str) -> Feature:
    return Feature(lambda table: table.lr_schedule.equals(name).astype(np.float64), 0.0, 1.0)


FEATURES = {
    "log10_classes": Feature(lambda t: np.log10(t.num_classes), 1.2, 0.6),
    "log10_images": Feature(lambda t: np.log10(t.num_images), 3.3, 0.7),
    "log10_mean_images_per_class": Feature(lambda t: np.log10(t.mean_images_per_class), 2.0, 0.7),
    "relative_std_images_per_class": Feature(
        lambda t: t.std_images_per_class / t.mean_images_per_class, 0.4, 0.5
    ),
    "log10_domain_distance": Feature(lambda t: np.log10(t.domain_distance + 0.1), 1.05, 0.2),
    "landmark_log_odds_over_chance": Feature(
        lambda t: log_odds(t.landmark_accuracy) - _chance_log_odds(t), 3.5, 1.5
    ),
    "source_accuracy": Feature(lambda t: t.source_accuracy, 0.6, 0.2),
    "log10_source_classes": Feature(lambda t: np.log10(t.source_classes), 2.5, 0.5),
    "log10_params": Feature(lambda t: np.log10(t.num_params), 6.5, 0.7),
    "log10_macs": Feature(lambda t: _log10(t.macs * t.zoom**2), 8.5, 1.0),
    "log10_activations": Feature(lambda t: _log10(t.activations * t.zoom**2), 6.0, 0.8),
    "log10_lr": Feature(lambda t: np.log10(t.lr), -1.5, 1.0),
    "log10_lr_at_batch_64": Feature(lambda t: np.log10(t.lr * 64.0 / t.batch_size), -1.5, 1.0),
    "frozen_stages": Feature(lambda t: t.frozen_stages, 1.0, 2.0),
    "head_only": Feature(lambda t: t.is_head.astype(np.float64), 0.0, 1.0),
    "cached_features": Feature(lambda t: t.cached_features, 0.0, 1.0),
    "log10_iterations": Feature(lambda t: _log10(t.iterations), 2.5, 0.8),
    "log10_epochs": Feature(lambda t: _log10(t.epochs), 1.0, 0.7),
    "log10_images_seen_per_class": Feature(lambda t: _log10(t.images_seen_per_class), 3.0, 0.8),
    "log10_batch_size": Feature(lambda t: np.log10(t.batch_size), 1.8, 0.3),
    "log10_resolution": Feature(lambda t: np.log10(t.resolution), 2.0, 0.3),
    "log2_zoom": Feature(lambda t: np.log2(t.zoom), 0.0, 1.0),
    "log2_enlargement": Feature(
        lambda t: np.nan_to_num(np.log2(t.enlargement), nan=ENLARGED), ENLARGED, 1.0
    ),
    "fitted_head": Feature(lambda t: t.fitted_head, 0.0, 1.0),
    "adapts_frozen_bn": Feature(lambda t: t.adapts_frozen_bn, 0.0, 1.0),
    "adapts_trained_bn": Feature(lambda t: t.adapts_trained_bn, 0.0, 1.0),
    "is_probed": Feature(lambda t: t.is_probed.astype(np.float64), 0.0, 1.0),
    "probe_gain": Feature(lambda t: np.nan_to_num(t.probe_gain, nan=UNPROBED_GAIN), 0.5, 1.0),
    "probe_octaves": Feature(lambda t: t.probe_octaves, 0.0, 1.0),
    "is_borrowed": Feature(lambda t: t.is_borrowed, 0.0, 1.0),
    "defaults_log_odds": Feature(lambda t: t.defaults, 0.5, 1.5),
    **{f"schedule_{name}": _of_schedule(name) for name in SCHEDULES},
}
FEATURE_NAMES = tuple(FEATURES)


def encode(table: RunTable, names: Sequence[str] = FEATURE_NAMES) -> Array:
    """Return `(n, d)` features of the runs of a table; NaN where there is no landmark.

    Args:
        table: `n` runs, with `defaults` if their feature is requested.
        names: names of `d` features in `FEATURES`.
    """
    chosen = [FEATURES[name] for name in names]
    columns = [(feature.values(table) - feature.centre) / feature.scale for feature in chosen]
    return np.asarray(np.clip(np.stack(columns, axis=1), -BOUND, BOUND), dtype=np.float64)
