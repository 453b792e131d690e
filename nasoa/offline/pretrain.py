"""Pretraining of a zoo model on a source data set: warm-up and cosine, EMA, resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nasoa.arch import StagedNetwork
from nasoa.config import PretrainConfig, TrainingConfig
from nasoa.data import ImageDataset
from nasoa.offline.inputs import source_inputs
from nasoa.records import CurvePoint
from nasoa.training.checkpoint import RunState
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.loop import Progress, Trainer, WorkCost
from nasoa.training.precision import Precision


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining reached; the weights are in the network.

    `test_accuracy` is that of the source's test split, looked at once at the end.
    """

    epochs: float
    val_accuracy: float
    test_accuracy: float
    elapsed_s: float
    curve: tuple[CurvePoint, ...]


def pretrain(
    network: StagedNetwork,
    data: ImageDataset,
    config: PretrainConfig,
    *,
    precision: Precision,
    limit_s: float,
    save: Callable[[RunState], None],
    state: RunState | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Pretrained:
    """Train `network` from its fresh weights, or go on from `state`.

    Args:
        network: gets the best checkpoint's weights.
        data: the source; its validation split chooses the checkpoint.
        config: the recipe.
        precision: where and in which format to compute.
        limit_s: seconds in all, those before `state` included; the schedule ends there at the
            latest.
        save: called with the state at most every half minute.
        state: a checkpoint of the same pretraining.
        progress: called after every step.
    """
    iterations = max(1, config.epochs * len(data.train) // config.batch_size)
    training = TrainingConfig(
        lr=config.lr,
        lr_schedule="cosine",
        iterations=iterations,
        batch_size=config.batch_size,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        averages=True,
        average_decay=config.average_decay,
        num_validations=config.epochs,
        max_val_images=len(data.val),
        checkpoint_every_s=30.0,
    )
    inputs, trainable = source_inputs(network, data, config, precision, config.seed)
    clock = WallClock(used_s=state.elapsed_s if state else 0.0)
    precision.place(network)
    trainer = Trainer(
        network=network,
        trainable=trainable,
        inputs=inputs,
        config=training,
        precision=precision,
        deadline=Deadline(clock, limit_s),
        reserve_s=lambda pace: pace.eval_image_s * len(data.test),
        work=WorkCost(0.0, 0.0),
        save=save,
        progress=progress,
        state=state,
    )
    result = trainer.run()
    tested = inputs.evaluate(trainable, "test", len(data.test))
    correct = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in tested)
    return Pretrained(
        epochs=result.iterations * config.batch_size / len(data.train),
        val_accuracy=result.val_accuracy,
        test_accuracy=correct / len(data.test),
        elapsed_s=clock.elapsed_s(),
        curve=result.curve,
    )
