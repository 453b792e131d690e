"""What is observed during a training."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import Count, Fraction, Seconds


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One validation during a fine-tune."""

    iteration: Count
    elapsed_s: Seconds
    train_loss: float
    val_accuracy: Fraction


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """One epoch of a pretraining.

    `epoch` and `iteration` are those at its end, `elapsed_s` counts from the beginning of the
    pretraining. `lr` is that of the last step, `train_loss` the mean of the steps, `images_per_s`
    how fast all processes together trained, validation left out. An epoch in which a run was cut
    off counts from where it went on.
    """

    epoch: float
    iteration: int
    elapsed_s: float
    lr: float
    train_loss: float
    val_accuracy: float
    images_per_s: float
