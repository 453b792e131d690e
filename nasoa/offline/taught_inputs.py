"""Batches with a teacher's features as labels: student and teacher get the same crops.

Epoch e uses view e modulo the number of views, so a schedule can have any length ("consistent" and
"patient" teaching, Beyer et al. 2022, with repeating views).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nasoa.data import BatchOrder
from nasoa.offline.teacher_features import Lesson
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

    Evaluation compares the classes that the teacher's classifier predicts from the student's
    features with those that it predicts from its own.

    Args:
        lesson: images, and the teacher's features for them.
        config: how images become batches for the student; the lesson decides how they are cropped.
        precision: device and format of the computation.
        processes: see `ImageInputs`; each computes the teacher's features for its own part.
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
        batch_indices = (order.indices(i)[part] for i in count_from(start))
        for iteration, (images, _labels) in enumerate(split.batches(batch_indices), start=start):
            indices = order.indices(iteration)[part]
            seen = torch.arange(batch_size)[part] + iteration * batch_size
            views = seen // len(split) % lesson.views
            placed = self.precision.to_device(images)
            student = lesson.view(placed, views, indices, self.config.resolution)
            targets = lesson.of_views(placed, views, indices)
            yield self._through_prefix(student), targets.to(self.precision.device)

    def evaluate(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Inputs`: logits of the teacher's classes, and the classes that it predicts."""
        logits = self.lesson.logits
        for features, targets in self.features(trainable, split, limit):
            yield logits(features), logits(targets).argmax(dim=1)

    def features(
        self, trainable: nn.Module, split: str, limit: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield `(b, d)` standardised features of student and teacher of whole images, in order."""
        trainable.eval()
        order = evaluation_order(self.count(split), self.config.seed)[:limit]
        batches = order[self.processes.rank :: self.processes.count].split(EVAL_BATCH)
        images_of = getattr(self.data, split).batches(batches)
        for indices, (images, _labels) in zip(batches, images_of, strict=True):
            placed = self.placed(images)
            with torch.inference_mode(), self.precision.autocast():
                features = flipped_mean(trainable, placed, self.config.flip)
            yield features, self.lesson.of_whole(split, images, indices)
