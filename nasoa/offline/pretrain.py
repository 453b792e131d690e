"""Pretrain a zoo model on a source data set: warm-up and cosine schedule, EMA, resumable.

One or several processes train it, with the same result up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from nasoa.arch import StagedNetwork
from nasoa.config import PretrainConfig, TrainingConfig
from nasoa.data import ImageDataset
from nasoa.offline.epoch_log import EpochLog
from nasoa.offline.inputs import source_inputs
from nasoa.records import CurvePoint, EpochMetrics
from nasoa.training.checkpoint import RunState
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.loop import Progress, Trainer, WorkCost
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes


@dataclass(frozen=True)
class Pretrained:
    """The result of a pretraining; the weights are in the network.

    `test_accuracy` is that of the source's test split, evaluated once at the end.
    """

    epochs: float
    val_accuracy: float
    test_accuracy: float
    elapsed_s: float
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Callbacks that report a pretraining; only the first of several processes calls them.

    Args:
        save: called with the state when a checkpoint is due.
        epochs: called after each epoch with the metrics of all epochs.
        progress: called after every step.
        kept: metrics of the epochs before `state`.
    """

    save: Callable[[RunState], None]
    epochs: Callable[[Sequence[EpochMetrics]], None] = lambda _epochs: None
    progress: Callable[[Progress], None] = lambda _progress: None
    kept: Sequence[EpochMetrics] = ()


def pretrain(
    network: StagedNetwork,
    data: ImageDataset,
    config: PretrainConfig,
    *,
    precision: Precision,
    limit_s: float,
    reporting: Reporting,
    state: RunState | None = None,
    processes: Processes = ALONE,
) -> Pretrained:
    """Train `network` from its fresh weights, or resume from `state`.

    Args:
        network: the network to train; it receives the weights of the best checkpoint.
        data: the source; its validation split chooses the checkpoint.
        config: the recipe; its batch size is that of all processes together.
        precision: device and format of the computation.
        limit_s: total seconds, including those before `state`; the schedule ends there at the
            latest. The first process's clock counts.
        reporting: callbacks for states, epochs and progress.
        state: a checkpoint of the same pretraining.
        processes: processes that train together; each calls this with the same arguments.

    Raises:
        InvalidInput: the number of processes does not divide the batch size.
    """
    processes.divide(config.batch_size)
    trained = cast(StagedNetwork, processes.normalising(network))
    inputs, trainable = source_inputs(trained, data, config, precision, config.seed, processes)
    clock = WallClock(used_s=state.elapsed_s if state else 0.0)
    precision.place(trained)
    log = EpochLog(len(data.train), config.batch_size, reporting.kept, reporting.epochs)

    def step(progress: Progress) -> None:
        log.step(progress)
        reporting.progress(progress)

    trainer = Trainer(
        network=trained,
        trainable=trainable,
        inputs=inputs,
        config=_training(config, data),
        precision=precision,
        deadline=Deadline(clock, limit_s),
        reserve_s=lambda pace: pace.eval_image_s * len(data.test),
        work=WorkCost(0.0, 0.0),
        save=reporting.save,
        progress=step if processes.is_first else None,
        validated=log.validated if processes.is_first else None,
        state=state,
        processes=processes,
    )
    result = trainer.run()
    tested = inputs.evaluate(trainable, "test", len(data.test))
    correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in tested)
    if trained is not network:
        network.load_state_dict(trained.state_dict())
    return Pretrained(
        epochs=result.iterations * config.batch_size / len(data.train),
        val_accuracy=result.val_accuracy,
        test_accuracy=processes.total(correct) / len(data.test),
        elapsed_s=clock.elapsed_s(),
        curve=result.curve,
    )


def _training(config: PretrainConfig, data: ImageDataset) -> TrainingConfig:
    return TrainingConfig(
        lr=config.lr,
        lr_schedule="cosine",
        iterations=max(1, config.epochs * len(data.train) // config.batch_size),
        batch_size=config.batch_size,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        averages=True,
        average_decay=config.average_decay,
        num_validations=config.epochs,
        max_val_images=len(data.val),
        checkpoint_every_s=config.checkpoint_every_s,
    )
