"""Class-mean features of the pretraining source, used by the domain similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save

from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset
from nasoa.online.task.domain_similarity import class_means
from nasoa.online.task.pooled_features import extract
from nasoa.records import ZooEntry
from nasoa.training.inputs import EVAL_BATCH
from nasoa.training.precision import Precision


@dataclass(frozen=True)
class SourceFeatures:
    """`(k, d)` class means of the source in the reference network, and `(k,)` image fractions."""

    means: NDArray[np.float64]
    weights: NDArray[np.float64]

    def to_bytes(self) -> bytes:
        """Serialise as safetensors in float32."""
        return save(
            {
                "means": self.means.astype(np.float32),
                "weights": self.weights.astype(np.float32),
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> SourceFeatures:
        """Deserialise what `to_bytes` returned."""
        arrays = load(raw)
        return cls(arrays["means"].astype(np.float64), arrays["weights"].astype(np.float64))


def describe_source(
    network: StagedNetwork, entry: ZooEntry, data: ImageDataset, precision: Precision
) -> SourceFeatures:
    """Return the class means and image fractions of all training images of the source."""
    batches = data.train.batches(torch.arange(len(data.train)).split(EVAL_BATCH))
    features = extract(
        network, entry, (images for images, _ in batches), entry.resolution, precision
    )
    means, weights = class_means(features.numpy(), data.train.labels.numpy(), len(data.class_names))
    return SourceFeatures(means, weights)
