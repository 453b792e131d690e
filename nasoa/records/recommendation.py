"""Regimes, and what is predicted of them."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import AtLeastOne, Count, FrozenStages, Rate, Seconds
from nasoa.records.task import EnergyUse

HEAD_ONLY = 4  # `frozen_stages` of a regime that trains the head alone
FITTED = "fitted"  # `lr_schedule` of such a regime: its head is fitted, not stepped

# Where batch-normalisation statistics adapt to the task (appendix 6.2), from most to least.
BN_ALL = "all"  # in frozen and in trained stages
BN_TRAINED = "trained"  # in trained stages only
BN_FIXED = "fixed"  # nowhere


@dataclass(frozen=True, kw_only=True)
class Regime:
    """A model and how to fine-tune it: what the generator chooses (Eq. 2).

    `frozen_stages`: -1 nothing, 0 the stem, k the stem and the first k stages, 4 all but the
    head. A head alone is fitted (`lr_schedule` is "fitted") by L-BFGS, whose full step is an `lr`
    of 1; its `iterations` are batches of images whose features it is fitted to, of all that time
    allows if it fills the limit. `cached_features`:
    the frozen part's output is computed once, without augmentation but for mirroring, and reused.
    `fills_limit`: `iterations` is what was predicted to fit, and the trainer may do more if its own
    steps are faster. `bn`: where batch-normalisation statistics adapt ("all", "trained" or
    "fixed"; a cached part's never do). `fitted_head`: training starts from the linear classifier
    that is fitted on the pretrained features (Kumar et al. 2022), not from a head of zeros.
    """

    model: str
    lr: Rate
    frozen_stages: FrozenStages
    iterations: Count
    batch_size: AtLeastOne
    resolution: AtLeastOne
    lr_schedule: str
    cached_features: bool = False
    fills_limit: bool = True
    bn: str = BN_ALL
    fitted_head: bool = False


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one group of features adds to a prediction (see `nasoa.online.choice.reasons`).

    `gain`: the predicted accuracy less that of the same candidate with this group, say the model,
    replaced by the reference's.
    """

    feature: str
    gain: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A regime with what is predicted of it, and why.

    `interval` is the 90 % interval of the accuracy; `reasons` come greatest first.
    """

    regime: Regime
    predicted_accuracy: float
    interval: tuple[float, float]
    predicted_s: Seconds
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What was chosen for a task, and what else was near: the candidates, best first.

    `predictor_version` 0 and `num_experiences` 0: nothing is learned yet. `note` says in words how
    much the choice rests on experience. `used_s` is the part of the limit that is spent when it is
    made, and `reserve_s` what the steps after the fine-tune are expected to need. `explores`: the
    first candidate is tried in order to learn, though another is predicted to be better.
    `energy`: what the task has used so far; None on a step clock.
    """

    candidates: tuple[Candidate, ...]
    predictor_version: Count
    num_experiences: Count
    note: str
    used_s: Seconds
    reserve_s: Seconds
    explores: bool = False
    energy: EnergyUse | None = None
