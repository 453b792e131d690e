"""Batches with a teacher's features in the place of labels: the same crops for both.

Epoch e sees view e modulo the number of views, so a schedule can be as long as wanted ("consistent"
and "patient" teaching, Beyer et al. 2022, with views that return).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nasoa.data import BatchOrder
from nasoa.offline.lesson import Lesson
from nasoa.training.inputs import (
    EVAL_BATCH,
    ImageInputs,
    InputConfig,
    count_from,
    evaluation_order,
    flipped_mean,
)
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes


class TaughtInputs(ImageInputs):
    """See `ImageInputs`; labels are `(b, d)` standardised features of the teacher.

    What is evaluated are the classes that the teacher would see in the student's features, against
    those that it sees in its own.

    Args:
        lesson: images, and what the teacher says of them.
        config: how they become batches for the student; the lesson says how they are cropped.
        precision: where and in which format to compute.
        processes: see `ImageInputs`; each asks the teacher for its own part.
    """

    def __init__(
        self,
        lesson: Lesson,
        config: InputConfig,
        precision: Precision,
        processes: Processes = ALONE,
    ) -> None:
        super().__init__(lesson.data, nn.Sequential(), config, precision, processes)
        self.lesson = lesson

    def train_batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`."""
        batch_size, split, lesson = self.config.batch_size, self.data.train, self.lesson
        order = BatchOrder(len(split), batch_size, self.config.seed, split.shards)
        part = self.processes.part(batch_size)
        indices = (order.indices(i)[part] for i in count_from(start))
        for iteration, (images, _labels) in enumerate(split.batches(indices), start=start):
            places = order.indices(iteration)[part]
            seen = torch.arange(batch_size)[part] + iteration * batch_size
            views = seen // len(split) % lesson.views
            placed = self.precision.to_device(images)
            student = lesson.view(placed, views, places, self.config.resolution)
            targets = lesson.of_views(placed, views, places)
            yield self._through_prefix(student), targets.to(self.precision.device)

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`: logits of the teacher's classes, and those that it would choose."""
        logits = self.lesson.logits
        for features, targets in self.features(trainable, split, limit):
            yield logits(features), logits(targets).argmax(dim=1)

    def features(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """`(b, d)` standardised features of student and teacher, of whole images, in an order."""
        trainable.eval()
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        batches = order[self.processes.rank :: self.processes.count].split(EVAL_BATCH)
        images_of = getattr(self.data, split).batches(batches)
        for places, (images, _labels) in zip(batches, images_of, strict=True):
            placed = self.placed(images)
            with torch.inference_mode(), self.precision.autocast():
                features = flipped_mean(trainable, placed, self.config.flip)
            yield features, self.lesson.of_whole(split, images, places)
