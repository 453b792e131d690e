"""Evaluate an architecture by a short training on a proxy data set (7.3.1, 7.3.2).

Departure from the paper, which does not mention averaging: the accuracy is that of averaged
weights. When a training is stopped early its learning rate is still high, and the last weights
alone are noisy.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from nasoa.arch import ArchSpec, build_network
from nasoa.config import DataConfig, EvaluateConfig, TrainingConfig
from nasoa.data import ImageDataset, ObjectSource, load_dataset, subset
from nasoa.errors import DataError
from nasoa.offline.feature_file import cached_features
from nasoa.offline.inputs import source_inputs
from nasoa.offline.taught_inputs import TaughtInputs
from nasoa.offline.teacher import packaged_teacher
from nasoa.offline.teacher_features import Lesson
from nasoa.offline.teaching_loss import TeachingLoss, fraction_learned
from nasoa.records import CurvePoint
from nasoa.training.checkpoint import RunState
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.loop import Trainer
from nasoa.training.precision import precision_for
from nasoa.training.run import Callbacks, RunTime, TrainedPart

logger = logging.getLogger(__name__)

LEAST_VAL_IMAGES = 50
NUM_VALIDATIONS = 4
AVERAGE_DECAY = 0.98
CHECKPOINT_EVERY_S = 60.0


@dataclass(frozen=True)
class Trained:
    """The result of a short training.

    `failure` is empty, "diverged", "timeout" or "out of memory"; if it is not empty, `accuracy` and
    `score` are None. `accuracy` is the validation accuracy or, with a teacher, the fraction of
    images for which student and teacher predict the same class. `score` is that of
    `EvaluateConfig.signal`, in [0, 1].
    """

    accuracy: float | None
    failure: str
    curve: tuple[CurvePoint, ...]
    elapsed_s: float
    score: float | None = None


def load_proxy(
    data: str, config: EvaluateConfig, source_store: ObjectSource | None = None
) -> ImageDataset:
    """Load the proxy data set: evenly spaced classes; the test images of `data` are not used.

    If a number of images per class is configured, both splits are sampled at random from the
    training images of `data` (7.3.1). Otherwise all images are used, and the validation images are
    those of `data` or, if it has none, part of its training images.

    Raises:
        DataError: the data set is unusable, is too small to tell architectures apart, or has fewer
            classes or images of a class than configured.
    """
    train_each, val_each = config.train_per_class, config.val_per_class
    val_fraction = val_each / (train_each + val_each) if val_each else config.val_fraction
    dataset = load_dataset(
        data,
        seed=config.seed,
        resolution=config.resolution,
        config=DataConfig(val_fraction=val_fraction, test_fraction=0.0, own_val=not val_each),
        source_store=source_store,
    )
    known = len(dataset.class_names)
    if config.num_classes > known and not config.all_if_fewer:
        raise DataError(
            f"expected a proxy of at least {config.num_classes} classes, but {data} has {known}; "
            f"use --num-classes {known}"
        )
    if config.num_classes > known:
        logger.warning("the proxy has all %d classes of %s", known, data)
    if val_each or 0 < config.num_classes < known:
        count = min(config.num_classes or known, known)
        taken = np.linspace(0, known - 1, count).astype(int).tolist()
        dataset = subset(
            dataset,
            taken,
            np.random.default_rng(config.seed),
            per_class=train_each or None,
            val_per_class=val_each or None,
        )
    _require_per_class(dataset, "train", train_each)
    _require_per_class(dataset, "val", val_each)
    if len(dataset.val) < LEAST_VAL_IMAGES or len(dataset.train) < config.batch_size:
        raise DataError(
            f"expected a proxy of at least {LEAST_VAL_IMAGES} validation images and "
            f"{config.batch_size} training images, but {data} gives {len(dataset.val)} and "
            f"{len(dataset.train)}; use a larger data set or more of its classes"
        )
    return dataset


def _require_per_class(data: ImageDataset, split: str, wanted: int) -> None:
    """Raise `DataError` if a class has fewer than `wanted` images in a split."""
    labels = getattr(data, split).labels.numpy()
    counts = np.bincount(labels, minlength=len(data.class_names))
    fewest = int(counts.argmin())
    if counts[fewest] < wanted:
        raise DataError(
            f"expected {wanted} images of each class in {split}, but {data.name} has "
            f"{counts[fewest]} of {data.class_names[fewest]!r}; lower --images-per-class"
        )


def teach(data: ImageDataset, config: EvaluateConfig) -> Lesson:
    """Let the teacher of `config` compute its features of the proxy, unless they are in the cache.

    There is one view for each epoch of a short training. Processes on this machine share the
    features, in a file of nasoa's cache folder; see `nasoa.offline.feature_file`.

    Raises:
        UnknownName: the package has no such teacher.
    """
    lesson = Lesson(
        data,
        packaged_teacher(config.teacher, config.teacher_resolution),
        views=math.ceil(config.epochs * config.stop_share),
        min_scale=config.min_scale,
        seed=config.seed,
        folder=cached_features(),
    )
    lesson.compute()
    return lesson


def train(
    spec: ArchSpec,
    data: ImageDataset,
    config: EvaluateConfig,
    *,
    seed: int,
    state: RunState | None = None,
    save: Callable[[RunState], None] | None = None,
    lesson: Lesson | None = None,
) -> Trained:
    """Train `spec` from fresh weights for `stop_share` of `epochs`, and validate at the end.

    At the end the learning rate is 0 (`early_stop` "compressed"), or that of the full training at
    the same point ("stopped").

    The accuracy is that of the averaged weights at the last iteration, not of the best checkpoint:
    the best of several evaluations would favour noisy trainings.

    Args:
        spec: the architecture.
        data: data set from `load_proxy`.
        config: settings of the training.
        seed: random seed for weights, batches and augmentation.
        state: a checkpoint of the same training to resume from.
        save: called with the state at most every minute.
        lesson: result of `teach` for the signal "teacher"; None calls it, before the time of the
            training begins.
    """
    if config.signal == "teacher":
        lesson = lesson or teach(data, config)
    torch.manual_seed(seed)
    clock = WallClock(state.elapsed_s if state else 0.0)
    try:
        trainer = _trainer(spec, data, config, seed, clock, save, lesson)
        if state is not None:
            trainer.resume(state)
        result = trainer.run()
        failures = {"deadline": "timeout", "diverged": "diverged"}
        failure = failures.get(result.ended, "")
        if failure:
            return Trained(None, failure, result.curve, clock.elapsed_s())
        score = _score(trainer, config)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        return Trained(None, "out of memory", (), clock.elapsed_s())
    accuracy = result.curve[-1].val_accuracy
    return Trained(accuracy, "", result.curve, clock.elapsed_s(), score)


def _score(trainer: Trainer, config: EvaluateConfig) -> float | None:
    """Return the `EvaluateConfig.signal` of the averaged weights, or None if it is the accuracy."""
    if config.signal == "accuracy":
        return None
    trainer.network.load_state_dict(trainer.state.average)
    inputs, trainable = trainer.inputs, trainer.trainable
    if isinstance(inputs, TaughtInputs):
        features = zip(*inputs.features(trainable, "val", trainer.num_val), strict=True)
        student, teacher = (inputs.lesson.logits(torch.cat(side)) for side in features)
        return fraction_learned(student, teacher)
    pairs = zip(*inputs.evaluate(trainable, "val", trainer.num_val), strict=True)
    logits, labels = (torch.cat(side) for side in pairs)
    loss = float(functional.cross_entropy(logits.float(), labels))
    return max(0.0, 1.0 - loss / math.log(logits.shape[1]))


def num_iterations(num_train: int, config: EvaluateConfig) -> int:
    """Return the number of updates of the short training."""
    return _updates(config.epochs * config.stop_share, num_train, config)


def _updates(epochs: float, num_train: int, config: EvaluateConfig) -> int:
    return max(1, math.ceil(epochs * num_train / config.batch_size))


def _schedule(num_train: int, config: EvaluateConfig) -> tuple[int, int]:
    """Return the updates of the schedule, and after how many it is stopped; 0 means never."""
    trained = num_iterations(num_train, config)
    if config.early_stop == "compressed":
        return trained, 0
    return _updates(config.epochs, num_train, config), trained


def _trainer(
    spec: ArchSpec,
    data: ImageDataset,
    config: EvaluateConfig,
    seed: int,
    clock: WallClock,
    save: Callable[[RunState], None] | None,
    lesson: Lesson | None,
) -> Trainer:
    outputs = lesson.teacher.num_features if lesson else len(data.class_names)
    network = build_network(spec, outputs)
    precision = precision_for(network)
    precision.place(network)
    inputs, trainable = source_inputs(network, data, config, precision, seed, lesson=lesson)
    iterations, stop_after = _schedule(len(data.train), config)
    return Trainer(
        TrainedPart(network, trainable, TeachingLoss(lesson.logits) if lesson else None),
        inputs,
        TrainingConfig(
            lr=config.lr,
            lr_schedule="cosine",
            iterations=iterations,
            stop_after=stop_after,
            batch_size=config.batch_size,
            weight_decay=config.weight_decay,
            averages=True,
            average_decay=AVERAGE_DECAY,
            num_validations=NUM_VALIDATIONS,
            max_val_images=len(data.val),
            checkpoint_every_s=CHECKPOINT_EVERY_S,
        ),
        precision=precision,
        time=RunTime(Deadline(clock, config.timeout_s)),
        callbacks=Callbacks(save=save),
    )


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "out of memory" in text or "not enough memory" in text or "can't allocate memory" in text
    )
