"""Task, model and regime as one vector for the predictor.

The variables of section 3.2.1, on the scales they act on (learning rate, iterations, images and
sizes by their logarithm), and with them what the paper holds fixed and we do not: batch size,
resolution, schedule, cached features; the landmark; and what the table of defaults expects.
Departure: the paper names the model by a one-hot variable; here it is described by size, cost,
source accuracy and family, so that a model that joins the zoo changes no layout and starts from
what is known of its like.

Every number is shifted and scaled by constants that put its usual range into about [-2, 2], then
clipped to [-3, 3]. Nothing is fitted, so a vector never depends on the order of tasks. `LAYOUT`
names all of this; it is stored with a predictor, which must not be fed another layout. Family and
data set follow as codes (`nasoa.online.predictor.experience_rows`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import tabulate
from nasoa.records import FITTED, HEAD_ONLY, MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]

LAYOUT = "nasoa-features-3"
# Of any other schedule all their columns are 0.
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "horizonless", FITTED)
BOUND = 3.0

# name, centre, scale. Centres and scales are round numbers of what tasks of 2 to 200 classes and
# 100 to 100,000 images, and models of 1 to 100 million parameters, have.
SCALES = {
    "log10_classes": (1.2, 0.6),
    "log10_images": (3.3, 0.7),
    "log10_mean_images_per_class": (2.0, 0.7),
    "relative_std_images_per_class": (0.4, 0.5),
    "log10_domain_distance": (1.05, 0.2),
    "landmark_log_odds_over_chance": (3.5, 1.5),
    "source_accuracy": (0.6, 0.2),
    "log10_source_classes": (2.5, 0.5),
    "log10_params": (6.5, 0.7),
    "log10_macs": (8.5, 1.0),
    "log10_activations": (6.0, 0.8),
    "log10_lr": (-1.5, 1.0),
    "log10_lr_at_batch_64": (-1.5, 1.0),
    "frozen_stages": (1.0, 2.0),
    "head_only": (0.0, 1.0),
    "cached_features": (0.0, 1.0),
    "log10_iterations": (2.5, 0.8),
    "log10_epochs": (1.0, 0.7),
    "log10_images_seen_per_class": (3.0, 0.8),
    "log10_batch_size": (1.8, 0.3),
    "log10_resolution": (2.0, 0.3),
    "log2_zoom": (0.0, 1.0),
    "fitted_head": (0.0, 1.0),
    "adapts_frozen_bn": (0.0, 1.0),
    "adapts_trained_bn": (0.0, 1.0),
    "is_probed": (0.0, 1.0),
    "probe_gain": (0.5, 1.0),
    "probe_octaves": (0.0, 1.0),
    "is_borrowed": (0.0, 1.0),
    "defaults_log_odds": (0.5, 1.5),
    **{f"schedule_{name}": (0.0, 1.0) for name in SCHEDULES},
}
FEATURE_NAMES = tuple(SCALES)
_CENTRES, _SCALES = np.array(list(SCALES.values())).T


class FeatureEncoder:
    """Task, model and regime -> `(num_features,)`; NaN where there is no landmark.

    Every schedule that has no column of its own is encoded as none of them.
    """

    layout = LAYOUT
    feature_names = FEATURE_NAMES

    def __init__(self) -> None:
        self._prior = DefaultPrior.packaged()

    @property
    def num_features(self) -> int:
        """Length of a vector."""
        return len(FEATURE_NAMES)

    def encode(self, meta: MetaFeatures, entry: ZooEntry, regime: Regime) -> Array:
        """`(d,)` of one regime."""
        row: Array = self.encode_many(meta, [entry], [regime])[0]
        return row

    def encode_many(
        self,
        metas: MetaFeatures | Sequence[MetaFeatures],
        entries: Sequence[ZooEntry],
        regimes: Sequence[Regime],
    ) -> Array:
        """`(n, d)` of `n` regimes and their models, of one task or of a task each.

        Raises:
            InvalidInput: numbers differ.
        """
        table = tabulate(metas, entries, regimes)
        return self.encode_table(table.with_columns(defaults=self._prior.log_odds(table)))

    def encode_table(self, table: RunTable) -> Array:
        """`(n, d)` of the runs of a table with defaults."""
        columns = [
            *_task(table),
            *_model(table),
            *_regime(table),
            *_probe(table),
            table.defaults,
            *_schedules(table),
        ]
        scaled: Array = (np.stack(columns, axis=1) - _CENTRES) / _SCALES
        return np.clip(scaled, -BOUND, BOUND, out=scaled)


def _task(table: RunTable) -> list[Array]:
    chance = 1.0 / np.maximum(table.num_classes, 2.0)
    return [
        np.log10(table.num_classes),
        np.log10(table.num_images),
        np.log10(table.mean_images_per_class),
        table.std_images_per_class / table.mean_images_per_class,
        np.log10(table.domain_distance + 0.1),
        log_odds(table.landmark_accuracy) - (np.log(chance) - np.log1p(-chance)),
    ]


def _model(table: RunTable) -> list[Array]:
    return [
        table.source_accuracy,
        np.log10(table.source_classes),
        np.log10(table.num_params),
        np.log10(table.macs * table.zoom**2),
        np.log10(table.activations * table.zoom**2),
    ]


def _regime(table: RunTable) -> list[Array]:
    return [
        np.log10(table.lr),
        np.log10(table.lr * 64.0 / table.batch_size),
        table.frozen_stages,
        (table.frozen_stages == HEAD_ONLY).astype(np.float64),
        table.cached_features,
        np.log10(table.iterations),
        np.log10(table.epochs),
        np.log10(table.images_seen_per_class),
        np.log10(table.batch_size),
        np.log10(table.resolution),
        np.log2(table.zoom),
        table.fitted_head,
        table.adapts_frozen_bn,
        table.adapts_trained_bn,
    ]


def _probe(table: RunTable) -> list[Array]:
    is_probed = table.is_probed
    # Where there was no probe, the centre of the scale.
    gain = np.where(is_probed, table.probe_gain, SCALES["probe_gain"][0])
    return [is_probed.astype(np.float64), gain, table.probe_octaves, table.is_borrowed]


def _schedules(table: RunTable) -> list[Array]:
    return [table.lr_schedule.equals(name).astype(np.float64) for name in SCHEDULES]
