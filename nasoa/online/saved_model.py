"""A fine-tuned model as files: what `nasoa predict` reads again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nasoa.arch import StagedNetwork
from nasoa.data.augment import to_float
from nasoa.records import Regime, ZooEntry, from_json, to_json
from nasoa.training.inputs import flipped_mean
from nasoa.training.precision import Precision
from nasoa.zoo.networks import load_network
from nasoa.zoo.weight_files import to_safetensors

CARD_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a saved model is: `entry` describes the network, with the task's classes as its own.

    `mirror_safe` models answer with the mean over an image and its mirror image.
    """

    task_id: str
    dataset: str
    class_names: tuple[str, ...]
    entry: ZooEntry
    regime: Regime
    mirror_safe: bool
    accuracy: float


def to_files(network: StagedNetwork, card: ModelCard) -> dict[str, bytes]:
    """File name -> content."""
    return {CARD_FILE: to_json(card), WEIGHTS_FILE: to_safetensors(network.state_dict())}


def from_files(read: Callable[[str], bytes]) -> tuple[StagedNetwork, ModelCard]:
    """The network and card of a saved model.

    Args:
        read: file name -> content.

    Raises:
        CorruptRecord: the card cannot be decoded.
        WeightsError: the weights cannot be read or do not fit the card.
    """
    card = from_json(read(CARD_FILE), ModelCard, CARD_FILE)
    return load_network(card.entry, read(WEIGHTS_FILE)), card


def classify(
    network: StagedNetwork, card: ModelCard, images: Tensor, precision: Precision
) -> Tensor:
    """`(n, num_classes)` probabilities of uint8 `(n, 3, r, r)` images."""
    precision.place(network).eval()
    floats = to_float(images, card.regime.resolution)
    placed = precision.normalise(floats, card.entry.mean, card.entry.std)
    with torch.inference_mode(), precision.autocast():
        logits = flipped_mean(network, placed, card.mirror_safe)
    return logits.softmax(dim=1).cpu()
