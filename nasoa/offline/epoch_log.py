"""The metrics of a pretraining, epoch by epoch, as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from nasoa.errors import CorruptRecord
from nasoa.records import CurvePoint, EpochMetrics
from nasoa.training.run import Progress


class EpochLog:
    """Collect the metrics of an epoch from the trainer's steps, and close it at its validation.

    Args:
        images_per_epoch: number of training images.
        batch_size: images per step.
        kept: epochs that were recorded before a run was interrupted.
        save: called after each epoch with all epochs.
    """

    def __init__(
        self,
        images_per_epoch: int,
        batch_size: int,
        kept: Sequence[EpochMetrics],
        save: Callable[[Sequence[EpochMetrics]], None],
    ) -> None:
        self.epochs = list(kept)
        self._images_per_epoch = images_per_epoch
        self._batch_size = batch_size
        self._save = save
        self._begin()

    def _begin(self) -> None:
        self._loss_sum, self._steps, self._lr = 0.0, 0, 0.0
        self._started = time.monotonic()

    def step(self, progress: Progress) -> None:
        """Add a training step."""
        self._loss_sum += progress.train_loss
        self._steps += 1
        self._lr = progress.lr
        self._ended = time.monotonic()

    def validated(self, point: CurvePoint) -> None:
        """Close an epoch; a validation before the first step closes none."""
        if self._steps:
            seconds = max(self._ended - self._started, 1e-9)
            metrics = EpochMetrics(
                epoch=round(point.iteration * self._batch_size / self._images_per_epoch, 3),
                iteration=point.iteration,
                elapsed_s=point.elapsed_s,
                lr=self._lr,
                train_loss=round(self._loss_sum / self._steps, 5),
                val_accuracy=point.val_accuracy,
                images_per_s=round(self._steps * self._batch_size / seconds, 1),
            )
            self.epochs.append(metrics)
            self._save(self.epochs)
        self._begin()


def to_json_lines(epochs: Sequence[EpochMetrics]) -> bytes:
    """Serialise epochs as one JSON document per line."""
    return b"".join(msgspec.json.encode(epoch) + b"\n" for epoch in epochs)


def from_json_lines(raw: bytes, key: str) -> list[EpochMetrics]:
    """Parse the output of `to_json_lines`.

    Raises:
        CorruptRecord: a line is not a valid epoch; the message names `key`.
    """
    try:
        return [msgspec.json.decode(line, type=EpochMetrics) for line in raw.splitlines()]
    except msgspec.MsgspecError as error:
        raise CorruptRecord(key, str(error)) from None
