"""The time that the work of a regime takes on the reference hardware, for a step clock."""

from __future__ import annotations

from nasoa.records import Regime, ZooEntry
from nasoa.training.run import WorkCost
from nasoa.zoo.step_times import StepTimes


def reference_cost(
    entry: ZooEntry, regime: Regime, *, num_train: int, num_classes: int
) -> WorkCost:
    """Return the time that the parts of a regime take on the reference hardware.

    Args:
        entry: zoo entry of the regime's model.
        regime: the regime.
        num_train: number of training images.
        num_classes: number of the task's classes.
    """
    reference = StepTimes.of([])
    resolution, frozen = regime.resolution, regime.frozen_stages
    step_s = reference.step_time_s(
        entry, resolution, regime.batch_size, frozen, regime.cached_features
    )
    frozen_image_s = reference.frozen_image_s(entry, resolution, frozen)
    eval_image_s = reference.eval_image_s(entry, resolution)
    if regime.cached_features:
        # The frozen layers are charged once, when their features are computed.
        eval_image_s = max(eval_image_s - frozen_image_s, 0.0)
    fit_image_s = reference.fit_s(entry, num_train, num_classes) / num_train
    return WorkCost(step_s, eval_image_s, frozen_image_s, fit_image_s)
