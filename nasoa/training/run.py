"""Arguments and results of a training run: what is trained, its time, its progress, its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from nasoa.records import CurvePoint
from nasoa.training.checkpoint import RunState
from nasoa.training.deadline import Deadline, Pace


@dataclass(frozen=True)
class WorkCost:
    """Seconds that work takes on the reference hardware, to charge a `StepClock`.

    Args:
        step_s: one training step.
        eval_image_s: evaluating one image.
        frozen_image_s: passing one image through the frozen prefix.
        fit_image_s: fitting a head, per image that it is fitted to.
    """

    step_s: float
    eval_image_s: float
    frozen_image_s: float = 0.0
    fit_image_s: float = 0.0


@dataclass(frozen=True)
class Progress:
    """The progress of a run, for a progress bar."""

    iteration: int
    planned_iterations: int
    elapsed_s: float
    limit_s: float
    train_loss: float
    val_accuracy: float
    lr: float


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run; the network holds the weights of the best checkpoint.

    Args:
        iterations: number of updates.
        val_accuracy: validation accuracy of the best checkpoint.
        curve: results of all validations.
        ended: "iterations" if all requested updates were made, "deadline", or "diverged" if a loss
            was not finite; the best checkpoint before it is then the result.
    """

    iterations: int
    val_accuracy: float
    curve: tuple[CurvePoint, ...]
    ended: str


@dataclass(frozen=True)
class TrainedPart:
    """The part of a network that is trained, and the loss that training minimises.

    Args:
        network: the whole network; checkpoints hold its weights and batch-normalisation statistics.
        trainable: the part of `network` after the frozen prefix.
        loss: function of `(b, d)` float32 outputs and labels; by default cross-entropy with the
            label smoothing of the run's configuration.
    """

    network: nn.Module
    trainable: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor] | None = None


FREE = WorkCost(0.0, 0.0)  # for a wall clock, which is not charged


@dataclass(frozen=True)
class RunTime:
    """The time that a run may take.

    Args:
        deadline: time by which everything must end.
        reserve_s: function from the pace to the seconds to reserve after training, for the test and
            for saving.
        work: costs that a step clock is charged.
    """

    deadline: Deadline
    reserve_s: Callable[[Pace], float] = lambda _pace: 0.0
    work: WorkCost = FREE


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that a run calls.

    Args:
        save: called with the state when a checkpoint is due.
        progress: called after every step.
        validated: called after every validation.
    """

    save: Callable[[RunState], None] | None = None
    progress: Callable[[Progress], None] | None = None
    validated: Callable[[CurvePoint], None] | None = None
