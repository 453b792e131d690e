"""Put networks that were pretrained elsewhere into the package's zoo.

    python -m scripts.ship_weights build/taught --models ET-NAS-B ET-NAS-C
    python -m scripts.ship_weights build/taught --models ET-NAS-A --data tinyimagenet200.zip

The folder has NAME.json and NAME.safetensors, as `scripts/pretrain_starter.py --output` writes
them. Weights that replace others of the package are refused unless `python -m benchmarks.transfer
report` found that they ship, and networks of a new name unless it found that they join: that they
are ahead of the package's front at their step time. With the reference model, whose features
describe every task, the features of its source are made anew; `--data` is the source.
docs/pretraining.md lists what else must be made anew.
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
# List of comparisons in its result, and the verdict that is needed there.
REPLACES, IS_NEW = ("differences", "ships"), ("newcomers", "joins")
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
        InvalidInput: a network is missing, was not found to ship or to join, or is the reference
            model without its source.
    """
    found = {name: _read(source, name) for name in names}
    packaged = packaged_cards()
    for name, (_card, weights) in found.items():
        comparison, verdict = REPLACES if name in packaged else IS_NEW
        if not _is_found(weights, transfer, comparison, verdict):
            raise InvalidInput(
                f"expected weights of {name} for which {transfer} says {verdict!r}, but for those "
                f"in {source} it does not, or they were not compared; run python -m "
                "benchmarks.transfer"
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


def _is_found(weights: bytes, transfer: Path, comparison: str, verdict: str) -> bool:
    """Return whether the comparison found that these weights are better by enough.

    Args:
        weights: the weights.
        transfer: result of `benchmarks.transfer`.
        comparison: name of the list of comparisons in it.
        verdict: name of the field that must be true.
    """
    document: dict[str, Any] = json.loads(transfer.read_text()) if transfer.exists() else {}
    digest = hashlib.sha256(weights).hexdigest()
    labels = {
        network["label"]
        for network in document.get("networks", [])
        if digest.startswith(network["digest"])
    }
    rows = document.get(comparison, [])
    return any(row.get(verdict, False) for row in rows if row["label"] in labels)


if __name__ == "__main__":
    main()
