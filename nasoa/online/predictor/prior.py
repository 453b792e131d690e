"""The default formula: the expected accuracy of a regime, without any experience.

The constants are fitted to the collected runs by `scripts/fit_prior.py` and stored in `prior.json`
beside this module; the defaults in the class are the starting point of that fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasoa.config import DescribeConfig
from nasoa.online.regimes.log_odds import log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import tabulate
from nasoa.online.task.meta_features import sample_size
from nasoa.records import FITTED, MetaFeatures, Regime, ZooEntry, from_json
from nasoa.zoo.step_times import FIRST_HEAD_IMAGES

Array = NDArray[np.float64]

CONSTANTS = Path(__file__).parent / "prior.json"
LOGIT_BOUND = 6.0
OTHER_SCHEDULE_COST = 0.3


@dataclass(frozen=True, kw_only=True)
class DefaultPrior:
    """The default formula. Constants are in log-odds unless another unit is given.

    It is on the scale of log-odds, on which source accuracy predicts target accuracy linearly
    (Kornblith et al. 2019, the paper's [26]):

        result = head alone + log(1 + exp(k (trained parts - penalties))) / k - slack

        head alone = landmark + w gain + images + size(zoom) - size(zoom of the probe)
            gain: how far the model's probe is above the landmark. If only another model with the
                same source was probed: that model's gain, plus a fraction of this model's lead over
                it on the source. If none was: the same fraction of its lead over the reference.
            images: c log(images per class / images per class that the landmark used)
            size: -a (log2 zoom - peak)^2, where zoom is the resolution over the model's own
        trained parts = (1 - s) (g (1 - exp(-e / tau)) - shock sigmoid((start - e) / width))
            s is the fraction that freezing removes, e the effective epochs; g is larger far from
            the source and with more training images; a fitted head removes a part of the shock
        penalties: for a learning rate above or below its best value; a schedule; a batch size;
            cached features, which see no augmentation; statistics that stay fixed or adapt

    The logarithm reflects that the fitted head is the first checkpoint and validation selects the
    best one: a harmful training costs time, not accuracy.

    Args:
        offset: head alone, relative to the landmark.
        unmeasured_offset: head alone, if there is no landmark.
        reference_ability: ability of the packaged ET-NAS-A, which measures the landmark.
        probe_weight: w; weight of a probe's gain.
        unprobed_weight: fraction of a model's lead on its source that counts without a probe.
        unprobed_far_weight: what is added to that fraction at a great domain distance.
        size_cost: a; cost of a factor 2 off the best resolution.
        size_peak: log2 of the best resolution over the model's own.
        sharpness: k; how sharply harm is cut off.
        slack: value of being protected from harm, at no gain.
        class_slope: cost of a factor e in the number of classes, without a landmark.
        data_slope: gain of a factor e in images per class.
        reached_slope: gain of a factor e in the fraction of the training images that the head is
            fitted to, or that training on images has seen since.
        typical_images_per_class: number at which that gain is 0, without a landmark.
        gain: gain of a long full fine-tune over the head alone, in the source's own domain.
        distance_gain: what is added to it at a great domain distance.
        images_gain: what is added to it by a factor e in training images above 1,000.
        distance_images_gain: what is added to that at a great domain distance.
        half_distance: distance at which half of those is added; between objects (8) and traffic
            signs (13), in units of ET-NAS-A's pooled features.
        distance_width: width of that transition, in the same units.
        epochs_to_gain: tau, in effective epochs.
        shock: initial loss of a full fine-tune.
        fitted_relief: fraction of the shock that a fitted head removes.
        fitted_cost: cost of a fitted head, if everything is trained.
        recovery_epochs: effective epochs after which half the shock is gone.
        recovery_width: width of that transition, in effective epochs.
        images_per_epoch: number of images at which an epoch has an effect of 1; larger epochs have
            more.
        few_images_cost: cost of training everything on very few images per class.
        few_images_per_class: images per class at which half of that cost is left.
        frozen_share: s for -1 to 4 frozen stages.
        cached_cost: cost of training on cached features, for the trained fraction.
        fixed_bn_cost: cost of fixed statistics, if everything is trained.
        adapting_cost: cost of statistics that adapt in frozen stages.
        log_best_lr: log10 of the best learning rate of a full fine-tune at batch 64; the rate is
            proportional to the batch (Goyal et al. 2017).
        fixed_bn_lr: what is added to it for fixed statistics.
        frozen_lr: what is added to it for the fraction that freezing removes.
        size_lr: what is added to it for a factor 10 in parameters above 10^6.5.
        small_lr_cost: cost of a factor 10 below the best rate.
        large_lr_cost: cost of a factor 10 above it.
        batch_cost: cost of a factor 2 off batch 64, at the same effective epochs.
        schedule_cost: cost by schedule.
    """

    offset: float = 0.1
    unmeasured_offset: float = 0.1
    reference_ability: float = 1.43
    probe_weight: float = 0.9
    unprobed_weight: float = 0.4
    unprobed_far_weight: float = -0.2
    size_cost: float = 0.3
    size_peak: float = 0.2
    sharpness: float = 2.0
    slack: float = 0.2
    class_slope: float = 0.42
    data_slope: float = 0.2
    reached_slope: float = 0.3
    typical_images_per_class: float = 150.0
    gain: float = 0.3
    distance_gain: float = 1.3
    images_gain: float = 0.2
    distance_images_gain: float = 0.2
    half_distance: float = 11.0
    distance_width: float = 1.5
    epochs_to_gain: float = 4.0
    shock: float = 1.0
    fitted_relief: float = 0.5
    fitted_cost: float = 0.1
    recovery_epochs: float = 3.0
    recovery_width: float = 0.4
    images_per_epoch: float = 4000.0
    few_images_cost: float = 1.2
    few_images_per_class: float = 8.0
    frozen_share: tuple[float, ...] = (0.0, 0.2, 0.4, 0.5, 0.6, 1.0)
    cached_cost: float = 0.1
    fixed_bn_cost: float = 0.1
    adapting_cost: float = 0.1
    log_best_lr: float = -1.1
    fixed_bn_lr: float = -0.5
    frozen_lr: float = -0.3
    size_lr: float = -0.3
    small_lr_cost: float = 0.3
    large_lr_cost: float = 0.6
    batch_cost: float = 0.05
    schedule_cost: Mapping[str, float] = field(
        default_factory=lambda: {
            "constant": 0.3,
            "step": 0.15,
            "cosine": 0.0,
            "one_cycle": 0.03,
            "horizonless": 0.15,
            "fitted": 0.0,
        }
    )

    @classmethod
    @cache
    def packaged(cls) -> DefaultPrior:
        """Return the formula with the constants that come with the package."""
        return from_json(CONSTANTS.read_bytes(), cls, str(CONSTANTS))

    def predict(
        self,
        metas: MetaFeatures | Sequence[MetaFeatures],
        entries: Sequence[ZooEntry],
        regimes: Sequence[Regime],
    ) -> Array:
        """Return accuracies in (0, 1), `(n,)`, of `n` regimes and their models without probes."""
        return self.predict_table(tabulate(metas, entries, regimes))

    def predict_table(self, table: RunTable) -> Array:
        """Return the accuracies in (0, 1) of a table's rows, `(n,)`."""
        return _sigmoid(self.log_odds(table))

    def log_odds(self, table: RunTable) -> Array:
        """Return the log-odds in (-6, 6) of the accuracies of a table's rows, `(n,)`."""
        trained = 1.0 - np.array(self.frozen_share)[table.frozen_stages.astype(np.intp) + 1]
        added = trained * self._trained_parts(table) - self._penalties(table, trained)
        kept = np.logaddexp(0.0, self.sharpness * added) / self.sharpness - self.slack
        logits = self._head_alone(table) + np.where(trained > 0.0, kept, 0.0)
        return np.asarray(LOGIT_BOUND * np.tanh(logits / LOGIT_BOUND), dtype=np.float64)

    def effective_epochs(self, table: RunTable) -> Array:
        """Return effective epochs, `(n,)`, which count more on larger data sets (more updates)."""
        updates = table.iterations * 64.0 / self.images_per_epoch
        return np.asarray(table.epochs**0.7 * updates**0.3, dtype=np.float64)

    def _head_alone(self, table: RunTable) -> Array:
        per_class = np.maximum(table.mean_images_per_class, 0.5)
        difficulty = self.class_slope * np.log(table.num_classes)
        amount = np.log(per_class / self.typical_images_per_class)
        unmeasured = self.unmeasured_offset + self.reference_ability - difficulty
        sampled = sample_size(table.num_classes)
        seen = np.minimum(DescribeConfig.per_class, sampled / table.num_classes)
        measured = self.offset + log_odds(table.landmark_accuracy)
        base = np.where(
            np.isnan(table.landmark_accuracy),
            unmeasured + self.data_slope * amount,
            measured + self.data_slope * np.log(np.maximum(per_class / seen, 1.0)),
        )
        base = base + self.reached_slope * np.log(self._reached(table))
        octaves = np.log2(table.zoom)
        measured_at = np.where(table.is_probed, octaves - table.probe_octaves, 0.0)
        sizes = self._size(octaves) - self._size(measured_at)
        return np.asarray(base + self._lead(table) + sizes, dtype=np.float64)

    def _reached(self, table: RunTable) -> Array:
        """Return the fraction of the training images seen by the head and by later training."""
        is_fitted = table.lr_schedule.equals(FITTED)
        # Without cached features, the first head is fitted to some images; each step sees more.
        first = np.where(is_fitted, 0.0, FIRST_HEAD_IMAGES / table.num_images)
        seen = np.clip(first + table.epochs, 0.02, 1.0)
        return np.where(is_fitted | (table.cached_features == 0.0), seen, 1.0)

    def _lead(self, table: RunTable) -> Array:
        """Return how far a model is above the reference model, at the resolution of its probe."""
        ability = log_odds(table.source_accuracy)
        of_source = ability + self.class_slope * np.log(table.source_classes)
        share = self.unprobed_weight + self.unprobed_far_weight * self._farness(table)
        is_probed = table.is_probed
        # A model's own probe is used as is; a probe of another model leaves their difference there.
        probed_ability = np.where(is_probed, log_odds(table.probe_source_accuracy), ability)
        beyond = table.is_borrowed * share * (ability - probed_ability)
        measured = self.probe_weight * np.nan_to_num(table.probe_gain) + beyond
        unprobed = share * (of_source - self.reference_ability)
        return np.where(is_probed, measured, unprobed)

    def _size(self, octaves: Array) -> Array:
        return np.asarray(-self.size_cost * (octaves - self.size_peak) ** 2, dtype=np.float64)

    def _farness(self, table: RunTable) -> Array:
        return _sigmoid((table.domain_distance - self.half_distance) / self.distance_width)

    def _trained_parts(self, table: RunTable) -> Array:
        epochs = self.effective_epochs(table)
        farness = self._farness(table)
        more_images = np.log(np.maximum(table.num_images, 1.0) / 1000.0)
        full = self.gain + self.distance_gain * farness
        full += (self.images_gain + self.distance_images_gain * farness) * more_images
        gained = full * (1.0 - np.exp(-epochs / self.epochs_to_gain))
        relief = 1.0 - self.fitted_relief * table.fitted_head
        shock = (
            relief * self.shock * _sigmoid((self.recovery_epochs - epochs) / self.recovery_width)
        )
        few = 1.0 / (1.0 + table.mean_images_per_class / self.few_images_per_class)
        fixed = self.fixed_bn_cost * (1.0 - table.adapts_trained_bn)
        costs = (
            self.fitted_cost * table.fitted_head + self.cached_cost * table.cached_features + fixed
        )
        return np.asarray(gained - shock - self.few_images_cost * few - costs, dtype=np.float64)

    def _penalties(self, table: RunTable, trained: Array) -> Array:
        best = (
            self.log_best_lr
            + self.fixed_bn_lr * (1.0 - table.adapts_trained_bn)
            + self.frozen_lr * (1.0 - trained)
            + self.size_lr * (np.log10(table.num_params) - 6.5)
        )
        decades = np.log10(table.lr * 64.0 / table.batch_size) - best
        lr_cost = np.where(decades > 0.0, self.large_lr_cost, self.small_lr_cost)
        names = table.lr_schedule.names
        schedule_costs = np.array([self.schedule_cost.get(n, OTHER_SCHEDULE_COST) for n in names])
        adapting = (table.frozen_stages >= 0) * table.adapts_frozen_bn
        penalties = (
            trained * lr_cost * decades**2
            + self.batch_cost * np.log2(table.batch_size / 64.0) ** 2
            + schedule_costs[table.lr_schedule.codes]
            + self.adapting_cost * adapting
        )
        return np.asarray(penalties, dtype=np.float64)


def _sigmoid(logits: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)
