"""Files of a fine-tuned model, as `nasoa predict` reads them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.cores import num_cores
from nasoa.data.augment import to_float
from nasoa.data.grey_range import GreyRange
from nasoa.ranges import Count, Fraction, Seconds, Seed
from nasoa.records import EnergyUse, Regime, ZooEntry, from_json, to_sealed_json
from nasoa.seal import check_tensors, seal_tensors
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.hardware import use_threads
from nasoa.training.inputs import flipped_mean
from nasoa.training.precision import Precision
from nasoa.zoo.networks import load_network
from nasoa.zoo.weight_files import to_safetensors

CARD_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
README_FILE = "README.md"
MOST_CLASSES = 100  # of a confusion matrix in a card
SMALLEST_BATCH = 64
LARGEST_BATCH = 256
BATCH_PIXELS = 2**20
MOST_IN_A_THREAD = 16


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Description of a saved model; `entry` is that of the network, with the task's classes.

    `mirror_safe` models average their predictions over an image and its mirror image. `grey_range`
    holds the values of black and white in training images of more than 8 bits. The fields after it
    are missing in models of earlier releases. `accuracy_interval` is that of 95 %; `confusion` is
    empty for more than `MOST_CLASSES` classes, otherwise as in `Experience`; `num_tested` is
    below `num_test` if there was too little time for all; `fingerprint` is that of the data;
    `stored_resolution` is that at which images were stored for the task, in pixels.
    """

    task_id: str
    dataset: str
    class_names: tuple[str, ...]
    entry: ZooEntry
    regime: Regime
    mirror_safe: bool
    accuracy: float
    grey_range: GreyRange | None = None
    accuracy_interval: tuple[Fraction, Fraction] | None = None
    val_accuracy: Fraction | None = None
    predicted_accuracy: float | None = None
    confusion: tuple[tuple[Count, ...], ...] = ()
    num_train: Count = 0
    num_val: Count = 0
    num_test: Count = 0
    num_tested: Count = 0
    fingerprint: str = ""
    time_limit_s: Seconds = 0.0
    seed: Seed = 0
    energy: EnergyUse | None = None
    created_at: str = ""
    code_version: str = ""
    stored_resolution: Count = 0

    @property
    def read_resolution(self) -> int:
        """Resolution in pixels at which images are read, so that they are as sharp as in training.

        Images of a task are stored at the size of most, and enlarged from that.
        """
        side = self.regime.resolution
        return min(self.stored_resolution or side, side)


def to_files(network: StagedNetwork, card: ModelCard) -> dict[str, bytes]:
    """Return the files of a model, as a dictionary from file name to content."""
    weights = seal_tensors(to_safetensors(network.state_dict()))
    return {CARD_FILE: to_sealed_json(card), WEIGHTS_FILE: weights}


def from_files(read: Callable[[str], bytes]) -> tuple[StagedNetwork, ModelCard]:
    """Load the network and card of a saved model.

    Args:
        read: function from file name to content.

    Raises:
        CorruptRecord: the card cannot be decoded, or a file is not what was written.
        WeightsError: the weights cannot be read or do not fit the card.
    """
    card = from_json(read(CARD_FILE), ModelCard, CARD_FILE)
    weights = read(WEIGHTS_FILE)
    check_tensors(weights, WEIGHTS_FILE)
    return load_network(card.entry, weights), card


class Classifier:
    """A saved model, ready to classify any number of images.

    On a CPU there is one thread per core, and each passes a few images at a time through the
    network. These threads never wait for each other, whereas threads within an operation wait for
    the slowest, which the decoding of the next images delays; and feature maps take little memory.

    Args:
        network: network of the model; it is not changed.
        card: description of the model.
        precision: device and number format to compute with.
    """

    def __init__(self, network: StagedNetwork, card: ModelCard, precision: Precision) -> None:
        self.card = card
        self.batch_size = batch_size(card.regime.resolution)
        self._precision = precision
        self._network = FrozenPrefix(nn.Sequential(*network.parts), precision)
        self._threads = num_cores() if precision.device.type == "cpu" else 1
        # OpenMP creates its own threads for each thread that calls it.
        self._pool = ThreadPoolExecutor(self._threads, initializer=partial(use_threads, 1))

    def probabilities(self, images: Tensor) -> Tensor:
        """Return `(n, num_classes)` probabilities of uint8 `(n, 3, r, r)` images, on the CPU."""
        together = len(images)
        if self._threads > 1:
            together = min(MOST_IN_A_THREAD, -(-len(images) // self._threads))
        return torch.cat(list(self._pool.map(self._classify, images.split(max(1, together)))))

    def _classify(self, images: Tensor) -> Tensor:
        # Transfer as uint8, a quarter of the bytes of float32, and convert on the device.
        floats = to_float(self._precision.to_device(images), self.card.regime.resolution)
        entry = self.card.entry
        placed = self._precision.normalise(floats, entry.mean, entry.std)
        logits = flipped_mean(self._network, placed, self.card.mirror_safe)
        return logits.softmax(dim=1).cpu()


def batch_size(resolution: int) -> int:
    """Return the number of images per batch: 64 at 128 px or more, up to 256 at fewer."""
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, BATCH_PIXELS // resolution**2))
