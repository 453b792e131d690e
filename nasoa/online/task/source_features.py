"""Class-mean features of the pretraining source, used by the domain similarity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

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
from nasoa.training.precision import Precision, best_precision
from nasoa.zoo.entries import SOURCE_FEATURES
from nasoa.zoo.networks import load_network

REFERENCE = "reference_sha256"
HEADER_SIZE = 8  # bytes of the length before the header of a safetensors document


@dataclass(frozen=True)
class SourceFeatures:
    """`(k, d)` class means of the source in the reference network, and `(k,)` image fractions.

    `reference` is the SHA-256 of the network's weights.
    """

    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    reference: str = ""

    def to_bytes(self) -> bytes:
        """Serialise as safetensors in float32."""
        return save(
            {
                "means": self.means.astype(np.float32),
                "weights": self.weights.astype(np.float32),
            },
            metadata={REFERENCE: self.reference},
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> SourceFeatures:
        """Deserialise what `to_bytes` returned."""
        arrays = load(raw)
        size = int.from_bytes(raw[:HEADER_SIZE], "little")
        metadata = json.loads(raw[HEADER_SIZE : HEADER_SIZE + size]).get("__metadata__", {})
        return cls(
            arrays["means"].astype(np.float64),
            arrays["weights"].astype(np.float64),
            metadata.get(REFERENCE, ""),
        )


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


def write_source_features(entry: ZooEntry, weights: bytes, data: ImageDataset) -> None:
    """Write the package's source features, as weights of its reference model have them.

    Args:
        entry: entry of the reference model.
        weights: its weights, as a safetensors document.
        data: the data set that it was pretrained on.
    """
    network = load_network(entry, weights)
    found = describe_source(network, entry, data, best_precision())
    digest = hashlib.sha256(weights).hexdigest()
    SOURCE_FEATURES.write_bytes(replace(found, reference=digest).to_bytes())
