"""Arguments of a fine-tune: the job, results to reuse, and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from nasoa.arch import StagedNetwork
from nasoa.config import FineTuneConfig
from nasoa.data import ImageDataset
from nasoa.online.task.probe import KnownFeatures
from nasoa.online.tuning.first_head import FittedHeads
from nasoa.records import Regime, ZooEntry
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.checkpoint import RunState
from nasoa.training.precision import Precision
from nasoa.training.run import Progress

# Called with the `(b, num_classes)` logits and the `(b,)` labels of a batch of test images.
Tested = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """The fine-tune to run.

    Args:
        network: pretrained network, with a head for the classes of `data`; receives the result.
        data: data set; its validation split selects the checkpoint.
        regime: regime to fine-tune with.
        entry: zoo entry of the network, for its normalisation.
        mirror_safe: whether mirror images belong to the same class.
        precision: device and number format to compute with.
        seed: random seed for the order of images and augmentation.
        config: settings that regimes do not vary.
    """

    network: StagedNetwork
    data: ImageDataset
    regime: Regime
    entry: ZooEntry
    mirror_safe: bool
    precision: Precision
    seed: int
    config: FineTuneConfig = field(default_factory=FineTuneConfig)


@dataclass(frozen=True, kw_only=True)
class Known:
    """Results of earlier work that the fine-tune reuses.

    Args:
        state: checkpoint to resume from.
        features: features at the regime's resolution; used for a head alone.
        cache: features that an earlier fine-tune with the same frozen stages, resolution, data and
            seed computed. Only for collecting experience: they then take no time.
        heads: heads that such a fine-tune fitted, used instead of fitting.
    """

    state: RunState | None = None
    features: KnownFeatures | None = None
    cache: CachedFeatures | None = None
    heads: FittedHeads | None = None


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Callbacks during the fine-tune.

    Args:
        save: called with a state when a checkpoint is due.
        progress: called after every step.
        tested: called after each batch of the final test.
        evaluate_at: iteration counts of intermediate evaluations, which test the best checkpoint
            so far, so that one training gives several results. Only for collecting experience: it
            uses the test split several times.
    """

    save: Callable[[RunState], None] | None = None
    progress: Callable[[Progress], None] | None = None
    tested: Tested | None = None
    evaluate_at: Sequence[int] = ()
