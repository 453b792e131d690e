"""The networks that are compared, and where their weights come from."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.records import ZooEntry, from_json, to_json
from nasoa.steps.zoo import load_zoo
from nasoa.store import open_store
from nasoa.zoo.entries import Card, packaged_cards, packaged_zoo

TODAY = "package"


@dataclass(frozen=True)
class Weights:
    """A network with its weights.

    Args:
        source: "package", or the name of the folder.
        entry: its entry in a zoo.
        content: weights as a safetensors document.
        teacher: the model whose outputs it learned; "" if it learned labels.
    """

    source: str
    entry: ZooEntry
    content: bytes
    teacher: str = ""

    @cached_property
    def digest(self) -> str:
        """Hash that names the weights in the log."""
        return hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Name in the tables."""
        name = self.entry.name
        return name if self.source == TODAY else f"{name} ({self.source})"


def candidates(folders: Sequence[Path] = ()) -> list[Weights]:
    """Return the networks of the package and of the folders.

    Raises:
        InvalidInput: a folder has no networks.
    """
    packaged, cards = packaged_zoo().buildable(), packaged_cards()
    found = [
        Weights(TODAY, entry, packaged.weights(name), cards[name].teacher)
        for name, entry in packaged.entries.items()
    ]
    for folder in folders:
        paths = sorted(folder.glob("*.json"))
        if not paths:
            raise InvalidInput(
                f"expected networks (NAME.json and NAME.safetensors) in {folder}, got none; write "
                "them with scripts/pretrain_starter.py --output or benchmarks.transfer export"
            )
        for path in paths:
            card = from_json(path.read_bytes(), Card, str(path))
            content = path.with_suffix(".safetensors").read_bytes()
            found.append(Weights(folder.name, card.entry, content, card.teacher))
    return found


def export(store_uri: str, family: str, folder: Path) -> None:
    """Write the networks of one zoo of a store into a folder, as cards and weights."""
    zoo = load_zoo(open_store(store_uri))
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, entry in zoo.entries.items() if entry.family == family]
    for name in names:
        card = Card(entry=replace(zoo.entry(name), weights_sha256=""), note=f"Of {family}.")
        (folder / f"{name}.safetensors").write_bytes(zoo.weights(name))
        (folder / f"{name}.json").write_bytes(to_json(card))
    sys.stderr.write(f"{len(names)} networks in {folder}\n")
