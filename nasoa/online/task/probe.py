"""Probes: measure on a task how well the features of a pretrained model fit it.

Accuracies on different pretraining sources are not comparable, and say little about tasks unlike
the source. So the most promising models are probed in a fraction of the time limit: a ridge
regression on a model's pooled features classifies a sample of the task's training images (the
landmark of `nasoa.online.task.landmark`). The reference model's landmark on the same images is
stored with it, so that samples of different sizes are comparable. If a head alone is fine-tuned
then, it reuses the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
    """Sampled training images of a task with the reference model's features.

    `indices`: `(k,)` into the training split, in random order; `labels`: `(k,)`; `reference`:
    `(k, d)` pooled features; `reference_image_s`: seconds per image to compute these;
    `loading_image_s`: seconds to read an image, 0 if images are in memory.
    """

    indices: Tensor
    labels: Tensor
    reference: Tensor
    reference_image_s: float = 0.0
    loading_image_s: float = 0.0

    def first(self, count: int) -> Sample:
        """Return the sample of its first `count` images."""
        return replace(
            self,
            indices=self.indices[:count],
            labels=self.labels[:count],
            reference=self.reference[:count],
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
    """Return `(k, d)` pooled features of training images, and the seconds per image.

    `may_go_on` is called before every batch but the first; where it returns False, the remaining
    images have no features.
    """

    def batches() -> Iterator[Tensor]:
        for number, (images, _labels) in enumerate(data.train.batches(indices.split(BATCH))):
            if number and not may_go_on():
                return
            yield images

    return timed_extract(network, entry, batches(), resolution, precision)


def fit_probe(
    entry: ZooEntry, resolution: int, features: Tensor, sample: Sample, image_s: float = 0.0
) -> Probe | None:
    """Return the probe of a model from its features `(k, d)` of a sample; `image_s` as in `Probe`.

    Return None if features are not finite, or if classes have too few images for
    `landmark_accuracy`.
    """
    if not features.isfinite().all():
        return None  # weights overflow the number format
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
    """Return the features of a probe for use in the fine-tune."""
    return KnownFeatures(indices=sample.indices, features=features)
