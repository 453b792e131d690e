"""Pretrain a zoo model on a source data set: warm-up and cosine schedule, EMA, resumable.

One or several processes train it, with the same result up to rounding. It learns labels, or what a
teacher says; in the second case its head is fitted to the labels afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.config import PretrainConfig, TrainingConfig
from nasoa.data import ImageDataset
from nasoa.errors import TimeLimitError, TrainingFailed
from nasoa.offline.epoch_log import EpochLog
from nasoa.offline.inputs import source_inputs
from nasoa.offline.teacher_features import Lesson
from nasoa.offline.teaching_loss import TeachingLoss
from nasoa.records import CurvePoint, EpochMetrics
from nasoa.training.checkpoint import RunState
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import ImageInputs
from nasoa.training.linear_head import LinearHead, fit_head, put_head
from nasoa.training.loop import Trainer
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes
from nasoa.training.run import Callbacks, Progress, RunTime, TrainedPart

HEAD_IMAGES = 50_000  # training images at most to which a taught network's head is fitted


@dataclass(frozen=True)
class Pretrained:
    """The result of a pretraining; the weights are in the network.

    `test_accuracy` is that of the source's test split, evaluated once at the end; None if it has no
    images. The accuracies of `curve` are those in validation; of a taught network, how often it
    gives the teacher's answer.
    """

    epochs: float
    val_accuracy: float
    test_accuracy: float | None
    elapsed_s: float
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What a pretraining resumes from, and callbacks that record how it continues.

    Only the first of several processes calls them.

    Args:
        save: called with the state when a checkpoint is due.
        epochs: called after each epoch with the metrics of all epochs.
        progress: called after every step.
        state: a checkpoint of the same pretraining; None to begin with fresh weights.
        kept: metrics of the epochs before `state`.
    """

    save: Callable[[RunState], None]
    epochs: Callable[[Sequence[EpochMetrics]], None] = lambda _epochs: None
    progress: Callable[[Progress], None] = lambda _progress: None
    state: RunState | None = None
    kept: Sequence[EpochMetrics] = ()


@dataclass(frozen=True)
class Compute:
    """What a pretraining is computed with.

    Args:
        precision: device and number format.
        processes: processes that train together; each calls `pretrain` with the same arguments.
    """

    precision: Precision
    processes: Processes = ALONE


def pretrain(
    network: StagedNetwork,
    data: ImageDataset,
    config: PretrainConfig,
    *,
    compute: Compute,
    limit_s: float,
    journal: Journal,
    lesson: Lesson | None = None,
) -> Pretrained:
    """Train `network` from fresh weights, or resume from a checkpoint.

    Args:
        network: the network to train; it receives the weights of the best checkpoint.
        data: the source, with labels; its validation split chooses the checkpoint.
        config: the recipe; its batch size is that of all processes together.
        compute: device, number format, and the processes that train together.
        limit_s: total seconds, including those before the checkpoint and those of the teacher, by
            which the schedule ends at the latest. The first process's clock counts.
        journal: the checkpoint to resume from, and callbacks for states, epochs and progress.
        lesson: what a teacher says about `data`, or about `data` with further images that need no
            labels (`nasoa.data.with_unlabelled`); None learns from labels.

    Raises:
        InvalidInput: the number of processes does not divide the batch size.
        TimeLimitError: the limit ended before the first step.
        TrainingFailed: the loss became infinite or NaN.
    """
    precision, processes, state = compute.precision, compute.processes, journal.state
    processes.divide(config.batch_size)
    student = _student(network, lesson) if lesson else network
    trained = cast(StagedNetwork, processes.normalising(student))
    inputs, trainable = source_inputs(
        trained, data, config, precision, config.seed, processes, lesson
    )
    clock = WallClock(used_s=state.elapsed_s if state else 0.0)
    if lesson:
        # Steps that wait for the teacher would make the schedule shorter than the limit allows.
        lesson.compute(processes)
    precision.place(trained)
    num_fitted = min(HEAD_IMAGES, len(data.train)) + len(data.val) if lesson else 0
    num_train = len(lesson.data.train if lesson else data.train)
    log = EpochLog(num_train, config.batch_size, journal.kept, journal.epochs)

    def step(progress: Progress) -> None:
        log.step(progress)
        journal.progress(progress)

    trainer = Trainer(
        TrainedPart(trained, trainable, TeachingLoss(lesson.logits) if lesson else None),
        inputs,
        _training(config, num_train, len(data.val)),
        precision=precision,
        time=RunTime(
            Deadline(clock, limit_s),
            lambda pace: pace.eval_image_s * (len(data.test) + num_fitted),
        ),
        callbacks=Callbacks(
            save=journal.save,
            progress=step if processes.is_first else None,
            validated=log.validated if processes.is_first else None,
        ),
        processes=processes,
    )
    if state is not None:
        trainer.resume(state)
    result = trainer.run()
    if result.ended == "diverged":
        raise TrainingFailed(
            "expected a finite loss in every step, but it was infinite or NaN in step "
            f"{result.iterations + 1} at a learning rate of up to {config.lr:g}; pretrain again "
            "with a lower --lr"
        )
    if not result.iterations:
        raise TimeLimitError(
            f"expected time for at least one step, but the limit of {limit_s:g} s was over before"
            + (", as the teacher's features took it; these stay" if lesson else "")
            + "; give more time"
        )
    if trained is not student:
        student.load_state_dict(trained.state_dict())
    val_accuracy = result.val_accuracy
    precision.place(network)
    inputs, trainable = source_inputs(network, data, config, precision, config.seed, processes)
    if lesson:
        put_head(network, _fitted_head(network, inputs))
        val_accuracy = _accuracy(inputs, trainable, "val")
    return Pretrained(
        epochs=result.iterations * config.batch_size / num_train,
        val_accuracy=val_accuracy,
        test_accuracy=_accuracy(inputs, trainable, "test") if len(data.test) else None,
        elapsed_s=clock.elapsed_s(),
        curve=result.curve,
    )


def recipe_digest(config: PretrainConfig, data: Sequence[str]) -> str:
    """Return a digest that tells the recipes of pretrainings of one network apart.

    A setting that a later release adds does not change it while it has its default.

    Args:
        config: the recipe.
        data: fingerprint of each DATA that is learned from (`nasoa.data.fingerprint`).
    """
    values = {field.name: (getattr(config, field.name), field.default) for field in fields(config)}
    given = {name: value for name, (value, default) in values.items() if value != default}
    return hashlib.sha256(repr((sorted(given.items()), list(data))).encode()).hexdigest()[:12]


def _student(network: StagedNetwork, lesson: Lesson) -> StagedNetwork:
    """Return a network with the same layers but the head, which gives features as the teacher's."""
    stem, *stages, head = network.parts
    assert isinstance(head, PooledLinear)
    features = PooledLinear(head.fc.in_features, lesson.teacher.num_features)
    return StagedNetwork(stem, stages, features)


def _fitted_head(network: StagedNetwork, inputs: ImageInputs) -> LinearHead:
    """Return a head fitted to the labels of training images, in every process the same."""
    body = nn.Sequential(*network.parts[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def of(split: str, limit: int) -> tuple[torch.Tensor, torch.Tensor]:
        own = [(f.cpu(), labels.cpu()) for f, labels in inputs.evaluate(body, split, limit)]
        parts = [batch for part in inputs.processes.gathered(own) for batch in part]
        features, labels = zip(*parts, strict=True)
        return torch.cat(features), torch.cat(labels)

    def fit() -> LinearHead:
        return fit_head(*train, network.num_classes, validation=validation)

    train, validation = of("train", HEAD_IMAGES), of("val", inputs.count("val"))
    return inputs.processes.from_first(fit)


def _accuracy(inputs: ImageInputs, trainable: nn.Module, split: str) -> float:
    """Return the fraction of a split's images that the network classifies correctly."""
    count = inputs.count(split)
    pairs = inputs.evaluate(trainable, split, count)
    correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in pairs)
    return inputs.processes.total(correct) / count


def _training(config: PretrainConfig, num_train: int, num_val: int) -> TrainingConfig:
    return TrainingConfig(
        lr=config.lr,
        lr_schedule="cosine",
        iterations=max(1, config.epochs * num_train // config.batch_size),
        batch_size=config.batch_size,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        averages=True,
        average_decay=config.average_decay,
        num_validations=config.epochs,
        max_val_images=num_val,
        checkpoint_every_s=config.checkpoint_every_s,
    )
