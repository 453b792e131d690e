"""What a regime will reach, judged without any experience.

A table of defaults, so that a new predictor chooses sensibly. On the scale of log-odds, on which
source accuracy predicts target accuracy linearly (Kornblith et al. 2019, the paper's [26]):

    head alone    landmark + ability - ability of the reference model; without a landmark
                  ability - difficulty + data,
                  ability    logit(source accuracy) + c log(source classes)
                  difficulty c log(classes)
    trained parts (1 - s) (gain (1 - exp(-e / tau)) - shock sigmoid((start - e) / width))
                  s the share that freezing takes of both, e the effective epochs
    penalties     a learning rate off its default, a schedule, a batch size, a resolution
    together      head alone + log(1 + exp(k (trained parts - penalties))) / k - slack

The last since the fitted head is the first checkpoint and validation keeps the best: a training
that does harm costs time, not accuracy.

The constants come from fine-tunes of ET-NAS-A (pretrained at 64 px) of 40 s on two cores: the head
alone reached .77, .66, .40, .76 on photos of 7 classes, objects of 10, traffic signs of 43, faces
of 2; a full fine-tune of tens of epochs .84, .72, .80, .91. Below about 3 epochs it was not
worth its disturbance of the pretrained weights. They order regimes; as accuracies they are rough,
without a landmark very much so: over 294 collected fine-tunes of 16 data sets predictions were
wrong by .065 on average with it (the landmark alone: .070) and by .21 without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nasoa.online.log_odds import log_odds
from nasoa.online.regime_table import SCHEDULES, RegimeTable, tabulate
from nasoa.records import MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]

LOGIT_BOUND = 6.0


@dataclass(frozen=True, kw_only=True)
class DefaultPrior:
    """The table of defaults; see the module for the formula. Log-odds unless another unit is said.

    Args:
        offset: of a head alone where ability equals difficulty.
        reference_ability: of ET-NAS-A as it comes with the package, which measures the landmark.
        sharpness: k; how sharply harm is cut off.
        slack: what being kept from harm is worth at no gain; 0.35 would make up for it.
        class_slope: what a factor e in the number of classes costs.
        data_slope: what a factor e in images per class gains.
        typical_images_per_class: where that gain is 0.
        gain: of a long full fine-tune over the head alone, in the source's own domain.
        distance_gain: what is added to it at a great domain distance.
        half_distance: the distance at which half of that is added; between objects (8) and traffic
            signs (13), in units of ET-NAS-A's pooled features.
        distance_width: how fast it is added.
        epochs_to_gain: tau, effective epochs.
        shock: what a full fine-tune loses at its start.
        recovery_epochs: where half the shock is gone, effective epochs.
        recovery_width: how fast it goes, effective epochs.
        images_per_epoch: an epoch of so many images has an effect of 1; of more, more.
        few_images_cost: of training everything on very few images per class.
        few_images_per_class: where half of that cost is left.
        frozen_share: s by frozen stages -1 to 4. Frozen stages up to the second are nearly as good
            in the paper's Table 7, but with long training and a network pretrained on ImageNet.
        partly_frozen_cost: of stages 0 to 3, which no fine-tune here speaks for.
        best_lr: of a full fine-tune at batch 64; in proportion to the batch (Goyal et al. 2017).
        lr_cost: of a factor 10 off it, where everything is trained.
        head_lr_cost: the same where the head alone is.
        batch_cost: of a factor 2 off batch 64, at the same effective epochs.
        zoom_cost: of a factor 2 off the model's own resolution.
        schedule_cost: by schedule; 0.3 for another.
    """

    offset: float = 0.1
    reference_ability: float = 1.43
    sharpness: float = 2.0
    slack: float = 0.2
    class_slope: float = 0.42
    data_slope: float = 0.2
    typical_images_per_class: float = 150.0
    gain: float = 0.3
    distance_gain: float = 1.3
    half_distance: float = 11.0
    distance_width: float = 1.5
    epochs_to_gain: float = 4.0
    shock: float = 1.0
    recovery_epochs: float = 3.0
    recovery_width: float = 0.4
    images_per_epoch: float = 4000.0
    few_images_cost: float = 1.2
    few_images_per_class: float = 8.0
    frozen_share: tuple[float, ...] = (0.0, 0.3, 0.6, 0.8, 0.9, 1.0)
    partly_frozen_cost: float = 0.15
    best_lr: float = 0.08
    lr_cost: float = 0.45
    head_lr_cost: float = 0.05
    batch_cost: float = 0.05
    zoom_cost: float = 0.5
    schedule_cost: Mapping[str, float] = field(
        default_factory=lambda: {
            "cosine": 0.0,
            "one_cycle": 0.03,
            "step": 0.15,
            "horizonless": 0.15,
            "constant": 0.3,
        }
    )

    def predict(
        self,
        metas: MetaFeatures | Sequence[MetaFeatures],
        entries: Sequence[ZooEntry],
        regimes: Sequence[Regime],
    ) -> Array:
        """`(n,)` accuracies in (0, 1) of `n` regimes and their models."""
        return self.predict_table(tabulate(metas, entries, regimes))

    def predict_table(self, table: RegimeTable) -> Array:
        """`(n,)` accuracies in (0, 1) of a table's rows."""
        return _sigmoid(self.log_odds(table))

    def log_odds(self, table: RegimeTable) -> Array:
        """`(n,)` log-odds in (-6, 6) of the accuracies of a table's rows."""
        frozen = np.array(self.frozen_share)[table.frozen_stages.astype(np.intp) + 1]
        added = (1.0 - frozen) * self._trained_parts(table) - self._penalties(table, frozen)
        kept = np.logaddexp(0.0, self.sharpness * added) / self.sharpness - self.slack
        logits = self._head_alone(table) + kept
        return np.asarray(LOGIT_BOUND * np.tanh(logits / LOGIT_BOUND), dtype=np.float64)

    def effective_epochs(self, table: RegimeTable) -> Array:
        """`(n,)` epochs that count for more on larger data sets, where they have more updates."""
        updates = table.iterations * 64.0 / self.images_per_epoch
        return np.asarray(table.epochs**0.7 * updates**0.3, dtype=np.float64)

    def _head_alone(self, table: RegimeTable) -> Array:
        source = np.clip(table.source_accuracy, 0.01, 0.99)
        ability = np.log(source / (1.0 - source)) + self.class_slope * np.log(table.source_classes)
        difficulty = self.class_slope * np.log(table.num_classes)
        images = np.maximum(table.mean_images_per_class, 0.5) / self.typical_images_per_class
        unmeasured = self.offset + ability - difficulty + self.data_slope * np.log(images)
        measured = log_odds(table.landmark_accuracy) + ability - self.reference_ability
        return np.where(np.isnan(table.landmark_accuracy), unmeasured, measured)

    def _trained_parts(self, table: RegimeTable) -> Array:
        epochs = self.effective_epochs(table)
        farness = _sigmoid((table.domain_distance - self.half_distance) / self.distance_width)
        full = self.gain + self.distance_gain * farness
        gained = full * (1.0 - np.exp(-epochs / self.epochs_to_gain))
        shock = self.shock * _sigmoid((self.recovery_epochs - epochs) / self.recovery_width)
        few = 1.0 / (1.0 + table.mean_images_per_class / self.few_images_per_class)
        return gained - shock - self.few_images_cost * few

    def _penalties(self, table: RegimeTable, frozen: Array) -> Array:
        decades = np.log10(table.lr / (self.best_lr * table.batch_size / 64.0))
        lr_cost = frozen * self.head_lr_cost + (1.0 - frozen) * self.lr_cost
        partly = (table.frozen_stages >= 0) & (table.frozen_stages <= 3)
        # The last is that of every other schedule, whose code is -1.
        schedule_costs = np.array([*(self.schedule_cost.get(n, 0.3) for n in SCHEDULES), 0.3])
        penalties = (
            lr_cost * decades**2
            + self.partly_frozen_cost * partly
            + self.batch_cost * np.log2(table.batch_size / 64.0) ** 2
            + self.zoom_cost * np.log2(table.zoom) ** 2
            + schedule_costs[table.schedule]
        )
        return np.asarray(penalties, dtype=np.float64)


def _sigmoid(logits: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)
