"""What a model brings to a task, measured there: a landmark of the model's own.

Accuracies on pretraining sources do not compare across sources, and say little of tasks that are
unlike them. So the most promising models are asked in a fraction of the limit: each classifies a
sample of the task's training images by a ridge regression on its pooled features (the landmark of
`nasoa.online.task.landmark`). The reference model's landmark on the same images stands beside it,
so that samples of different size compare. The features are kept for the fine-tune that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset
from nasoa.online.task.landmark import landmark_accuracy
from nasoa.online.task.pooled_features import timed_extract
from nasoa.records import Probe, ZooEntry
from nasoa.training.precision import Precision

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class KnownFeatures:
    """Pooled features `(k, d)` of training images `(k,)`, computed before the fine-tune."""

    indices: Tensor
    features: Tensor


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Training images of a task with the reference model's features of them.

    `indices` `(k,)` into the training split, in random order; `labels` `(k,)`; `reference`
    `(k, d)` pooled features, of which an image took `reference_image_s`.
    """

    indices: Tensor
    labels: Tensor
    reference: Tensor
    reference_image_s: float = 0.0

    def first(self, count: int) -> Sample:
        """The first images of it."""
        return Sample(
            indices=self.indices[:count],
            labels=self.labels[:count],
            reference=self.reference[:count],
            reference_image_s=self.reference_image_s,
        )


def pooled_features(
    network: StagedNetwork,
    entry: ZooEntry,
    data: ImageDataset,
    indices: Tensor,
    resolution: int,
    precision: Precision,
    may_go_on: Callable[[], bool] = lambda: True,
) -> tuple[Tensor, float]:
    """Return `(k, d)` pooled features of training images, and the seconds of one image.

    `may_go_on` is asked before every batch of images but the first; those that are left have no
    features then.
    """

    def batches() -> Iterator[Tensor]:
        for number, some in enumerate(indices.split(BATCH)):
            if number and not may_go_on():
                return
            yield data.train.images(some)

    return timed_extract(network, entry, batches(), resolution, precision)


def judge(
    entry: ZooEntry, resolution: int, features: Tensor, sample: Sample, image_s: float = 0.0
) -> Probe | None:
    """The probe that a model's features `(k, d)` of a sample give; `image_s` as `Probe` has it.

    None where features are not finite, or where too few images are of a class for
    `landmark_accuracy`.
    """
    if not features.isfinite().all():
        return None  # weights out of the range of a number format
    labels = sample.labels.numpy()
    own = landmark_accuracy(features.cpu().numpy(), labels)
    reference = landmark_accuracy(sample.reference.cpu().numpy(), labels)
    if own is None or reference is None:
        return None
    return Probe(
        model=entry.name,
        resolution=resolution,
        num_images=len(labels),
        accuracy=own,
        reference_accuracy=reference,
        image_s=image_s,
        source=entry.source,
        source_accuracy=entry.source_accuracy,
        source_classes=entry.num_classes,
        model_resolution=entry.resolution,
    )


def known_features(sample: Sample, features: Tensor) -> KnownFeatures:
    """A probe's features for the fine-tune."""
    return KnownFeatures(indices=sample.indices, features=features)
