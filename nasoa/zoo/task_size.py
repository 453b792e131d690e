"""Size of a task, on which the time that does not depend on the iterations depends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """Numbers of training, validation and test images of a task, and of its classes."""

    num_train: int
    num_val: int
    num_test: int
    num_classes: int
