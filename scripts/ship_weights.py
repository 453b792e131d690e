"""Put networks that were pretrained elsewhere into the package's zoo.

    python -m scripts.ship_weights build/taught --models ET-NAS-B ET-NAS-C
    python -m scripts.ship_weights build/taught --models ET-NAS-A --data tinyimagenet200.zip

The folder has NAME.json and NAME.safetensors, as `scripts/pretrain_starter.py --output` writes
them. Weights that replace others of the package are refused unless `python -m benchmarks.transfer
report` found that they ship. With the reference model, whose features describe every task, the
features of its source are made anew; `--data` is the source. docs/pretraining.md lists what else
must be made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from nasoa.config import DataConfig, PretrainConfig
from nasoa.data import load_dataset
from nasoa.errors import InvalidInput
from nasoa.online.task.source_features import write_source_features
from nasoa.records import from_json
from nasoa.zoo.entries import REFERENCE_MODEL, WEIGHTS_FOLDER, Card, packaged_cards

VAL_FRACTION = 0.05  # of the pretraining
TRANSFER = Path(__file__).parents[1] / "benchmarks" / "results" / "transfer.json"
STALE = (
    "The package's reference model has changed; docs/pretraining.md (Replacing weights of the "
    "package) lists what must be made anew."
)


def main() -> None:
    """Check all networks, then write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--data", default="", help="source of the reference model, to describe it")
    parser.add_argument("--transfer", type=Path, default=TRANSFER, help="the comparison's JSON")
    arguments = parser.parse_args()
    try:
        ship(arguments.folder, arguments.models, arguments.data, arguments.transfer)
    except InvalidInput as error:
        parser.error(str(error))


def ship(
    source: Path, names: list[str], data: str, transfer: Path, target: Path = WEIGHTS_FOLDER
) -> None:
    """Copy networks into the package, and make the source features anew if they change.

    Args:
        source: folder of the networks.
        names: their names.
        data: DATA of the reference model's source; "" if it is not among them.
        transfer: result of `benchmarks.transfer`.
        target: folder of the package's weights.

    Raises:
        InvalidInput: a network is missing, was not found to ship, or is the reference model
            without its source.
    """
    found = {name: _read(source, name) for name in names}
    for name, (_card, weights) in found.items():
        if name in packaged_cards() and not _ships(weights, transfer):
            raise InvalidInput(
                f"expected weights of {name} that ship according to {transfer}, but those in "
                f"{source} do not, or were not compared; run python -m benchmarks.transfer"
            )
    if REFERENCE_MODEL in found and not data:
        raise InvalidInput(
            f"expected --data with {REFERENCE_MODEL}, whose features of its source must be made "
            "anew, got none; add --data tinyimagenet200.zip"
        )
    if REFERENCE_MODEL in found:
        card, weights = found[REFERENCE_MODEL]
        images = load_dataset(
            data,
            seed=PretrainConfig.small().seed,
            resolution=card.entry.resolution,
            config=DataConfig(val_fraction=VAL_FRACTION),
        )
        if images.name != card.entry.source:
            raise InvalidInput(
                f"expected --data {card.entry.source}, the source of {REFERENCE_MODEL}, got "
                f"{images.name}"
            )
        write_source_features(card.entry, weights, images)
        print(STALE)  # noqa: T201
    for name in names:
        for suffix in (".safetensors", ".json"):
            content = (source / f"{name}{suffix}").read_bytes()
            (target / f"{name}{suffix}").write_bytes(content)


def _read(source: Path, name: str) -> tuple[Card, bytes]:
    path = source / f"{name}.json"
    if not path.exists():
        raise InvalidInput(f"expected {path}, which scripts/pretrain_starter.py --output writes")
    card = from_json(path.read_bytes(), Card, str(path))
    return card, path.with_suffix(".safetensors").read_bytes()


def _ships(weights: bytes, transfer: Path) -> bool:
    """Return whether the comparison found that these weights are better by enough."""
    document: dict[str, Any] = json.loads(transfer.read_text()) if transfer.exists() else {}
    digest = hashlib.sha256(weights).hexdigest()
    labels = {
        network["label"]
        for network in document.get("networks", [])
        if digest.startswith(network["digest"])
    }
    differences = document.get("differences", [])
    return any(row.get("ships", False) for row in differences if row["label"] in labels)


if __name__ == "__main__":
    main()
