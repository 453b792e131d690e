"""What a fine-tune is given: what to do, what is there already, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nasoa.arch import StagedNetwork
from nasoa.config import FineTuneConfig
from nasoa.data import ImageDataset
from nasoa.online.task.probe import KnownFeatures
from nasoa.online.tuning.first_head import FittedHeads
from nasoa.records import Regime, ZooEntry
from nasoa.training.cached_inputs import CachedInputs
from nasoa.training.checkpoint import RunState
from nasoa.training.loop import Progress
from nasoa.training.precision import Precision


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done.

    Args:
        network: pretrained, with a head of as many classes as `data` has; gets the result.
        data: validation chooses the checkpoint.
        regime: what to do.
        entry: the network's normalisation.
        mirror_safe: mirror images are of the same class.
        precision: where and in which format to compute.
        seed: order of images and augmentation.
        config: what regimes do not vary.
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
    """What is there already, so that it is not made again.

    Args:
        state: a checkpoint to go on from.
        features: at the regime's resolution; for a head alone.
        cache: features that an earlier fine-tune with the same frozen stages, resolution, data and
            seed computed. For collecting experience only: they cost no time then.
        heads: that such a fine-tune fitted, in place of fits.
    """

    state: RunState | None = None
    features: KnownFeatures | None = None
    cache: CachedInputs | None = None
    heads: FittedHeads | None = None


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told on the way.

    Args:
        save: called with a state when a checkpoint is due.
        progress: called after every step.
        looks: iteration counts at which the best checkpoint so far is tested on the way, so that
            one training is as good as several. For collecting experience only: it looks at the
            test split several times.
    """

    save: Callable[[RunState], None] | None = None
    progress: Callable[[Progress], None] | None = None
    looks: Sequence[int] = ()
