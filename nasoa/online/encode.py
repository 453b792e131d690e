"""Task, model and regime as one vector for the predictor.

The variables of section 3.2.1, on the scales they act on (learning rate, iterations, images and
sizes by their logarithm), and with them what the paper holds fixed and we do not: batch size,
resolution, schedule, cached features. Departure: the paper names the model by a one-hot variable;
here it is described by size, cost and source accuracy, so that a model that joins the zoo changes
no layout and starts from what is known of its like.

Every value is shifted and scaled by constants that put its usual range into about [-2, 2], then
clipped to [-3, 3]. Nothing is fitted, so a vector never depends on the order of tasks. `LAYOUT`
names all of this; it is stored with a predictor, which must not be fed another layout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regime_table import RegimeTable, tabulate
from nasoa.records import Candidate, Experience, MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]

LAYOUT = "nasoa-features-1"
BOUND = 3.0
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "horizonless")

# name, centre, scale. Centres and scales are round numbers of what tasks of 2 to 200 classes and
# 100 to 100,000 images, and models of 1 to 100 million parameters, have.
SCALES = {
    "log10_classes": (1.2, 0.6),
    "log10_images": (3.3, 0.7),
    "log10_mean_images_per_class": (2.0, 0.7),
    "relative_std_images_per_class": (0.4, 0.5),
    "log10_domain_distance": (1.05, 0.2),
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
    "log10_batch_size": (1.8, 0.3),
    "log10_resolution": (2.0, 0.3),
    "log2_zoom": (0.0, 1.0),
    **{f"schedule_{name}": (0.0, 1.0) for name in SCHEDULES},
}
FEATURE_NAMES = tuple(SCALES)
_CENTRES, _SCALES = np.array(list(SCALES.values())).T


class FeatureEncoder:
    """Task, model and regime -> `(num_features,)`.

    Every schedule that has no column of its own is encoded as none of them.
    """

    layout = LAYOUT
    feature_names = FEATURE_NAMES

    @property
    def num_features(self) -> int:
        """Length of a vector."""
        return len(FEATURE_NAMES)

    def encode(self, meta: MetaFeatures, entry: ZooEntry, regime: Regime) -> Array:
        """`(d,)` of one regime."""
        row: Array = self.encode_many(meta, [entry], [regime])[0]
        return row

    def encode_candidate(self, meta: MetaFeatures, entry: ZooEntry, candidate: Candidate) -> Array:
        """`(d,)` of a regime that could be chosen."""
        return self.encode(meta, entry, candidate.regime)

    def encode_experience(self, experience: Experience) -> Array:
        """`(d,)` of a regime that was tried."""
        return self.encode(experience.task.meta_features, experience.model, experience.regime)

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
        return self.encode_table(tabulate(metas, entries, regimes))

    def encode_table(self, table: RegimeTable) -> Array:
        """`(n, d)` of a table's rows."""
        values = np.stack([*_measures(table), *_schedule_columns(table)], axis=1)
        scaled: Array = (values - _CENTRES) / _SCALES
        return np.clip(scaled, -BOUND, BOUND, out=scaled)


def _measures(table: RegimeTable) -> list[Array]:
    """The columns before the schedules', in the order of `SCALES`."""
    return [
        np.log10(table.num_classes),
        np.log10(table.num_images),
        np.log10(table.mean_images_per_class),
        table.std_images_per_class / table.mean_images_per_class,
        np.log10(table.domain_distance + 0.1),
        table.source_accuracy,
        np.log10(table.source_classes),
        np.log10(table.num_params),
        np.log10(table.macs),
        np.log10(table.activations),
        np.log10(table.lr),
        np.log10(table.lr * 64.0 / table.batch_size),
        table.frozen_stages,
        (table.frozen_stages == 4).astype(np.float64),
        table.cached,
        np.log10(table.iterations),
        np.log10(table.epochs),
        np.log10(table.batch_size),
        np.log10(table.resolution),
        np.log2(table.resolution / table.native_resolution),
    ]


def _schedule_columns(table: RegimeTable) -> list[Array]:
    return [(table.lr_schedule == name).astype(np.float64) for name in SCHEDULES]
