"""Weights go into the package only if they were found to be better, with what depends on them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.online.task import source_features
from nasoa.online.task.source_features import SourceFeatures
from nasoa.records import to_json
from nasoa.zoo.entries import (
    REFERENCE_MODEL,
    SOURCE_FEATURES,
    packaged_cards,
    packaged_zoo,
)
from scripts.ship_weights import ship

DIGITS = "sklearn:digits:classes=0,1,2:per_class=30"


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A folder with other weights of two packaged networks."""
    folder = tmp_path / "taught"
    folder.mkdir()
    for name in (REFERENCE_MODEL, "ET-NAS-B"):
        card = packaged_cards()[name]
        entry = replace(card.entry, source="digits-012-x30")
        (folder / f"{name}.json").write_bytes(to_json(replace(card, entry=entry)))
        raw = bytearray(packaged_zoo().weights(name))
        raw[-2:] = b"\x00\x00"  # the last weight
        (folder / f"{name}.safetensors").write_bytes(bytes(raw))
    return folder


def compared(
    taught: Path, ships: dict[str, bool], comparison: str = "differences", verdict: str = "ships"
) -> Path:
    """Return a result of the comparison."""
    path = taught.parent / "transfer.json"
    networks = [
        {
            "label": f"{name} (taught)",
            "digest": hashlib.sha256((taught / f"{name}.safetensors").read_bytes()).hexdigest()[
                :12
            ],
        }
        for name in ships
    ]
    rows = [{"label": f"{name} (taught)", verdict: value} for name, value in ships.items()]
    path.write_text(json.dumps({"networks": networks, comparison: rows}))
    return path


def test_weights_that_were_not_found_to_ship_are_refused(taught: Path, tmp_path: Path) -> None:
    target = tmp_path / "package"
    target.mkdir()
    names = ["ET-NAS-B"]
    for transfer in (tmp_path / "absent.json", compared(taught, {"ET-NAS-B": False})):
        with pytest.raises(InvalidInput, match="or they were not compared"):
            ship(taught, names, "", transfer, target)
    with pytest.raises(InvalidInput, match=r"ET-NAS-D\.json"):
        ship(taught, ["ET-NAS-D"], "", tmp_path / "absent.json", target)
    assert not list(target.iterdir())
    ship(taught, names, "", compared(taught, {"ET-NAS-B": True}), target)
    assert {path.name for path in target.iterdir()} == {"ET-NAS-B.json", "ET-NAS-B.safetensors"}


def test_a_network_of_a_new_name_must_be_ahead_of_the_package_s_front(
    taught: Path, tmp_path: Path
) -> None:
    target = tmp_path / "package"
    target.mkdir()
    card = packaged_cards()["ET-NAS-B"]
    entry = replace(card.entry, name="searched-1")
    (taught / "searched-1.json").write_bytes(to_json(replace(card, entry=entry)))
    (taught / "searched-1.safetensors").write_bytes((taught / "ET-NAS-B.safetensors").read_bytes())
    names = ["searched-1"]
    refused = (
        lambda: tmp_path / "absent.json",
        lambda: compared(taught, {"searched-1": True}),
        lambda: compared(taught, {"searched-1": False}, "newcomers", "joins"),
    )
    for transfer in refused:
        with pytest.raises(InvalidInput, match="says 'joins'"):
            ship(taught, names, "", transfer(), target)
    assert not list(target.iterdir())
    ship(taught, names, "", compared(taught, {"searched-1": True}, "newcomers", "joins"), target)
    assert {path.name for path in target.iterdir()} == {
        "searched-1.json",
        "searched-1.safetensors",
    }


def test_the_reference_model_ships_with_its_source_features(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "package"
    target.mkdir()
    features = tmp_path / "source_features.safetensors"
    monkeypatch.setattr(source_features, "SOURCE_FEATURES", features)
    transfer = compared(taught, {REFERENCE_MODEL: True})
    with pytest.raises(InvalidInput, match="add --data"):
        ship(taught, [REFERENCE_MODEL], "", transfer, target)
    with pytest.raises(InvalidInput, match="the source of ET-NAS-A, got digits"):
        ship(taught, [REFERENCE_MODEL], "sklearn:digits:per_class=20", transfer, target)
    assert not list(target.iterdir())
    assert not features.exists()
    ship(taught, [REFERENCE_MODEL], DIGITS, transfer, target)
    found = SourceFeatures.from_bytes(features.read_bytes())
    weights = (target / f"{REFERENCE_MODEL}.safetensors").read_bytes()
    assert found.reference == hashlib.sha256(weights).hexdigest()
    assert len(found.means) == len(found.weights) == 3


def test_the_package_s_source_features_are_those_of_its_reference_model() -> None:
    found = SourceFeatures.from_bytes(SOURCE_FEATURES.read_bytes())
    weights = packaged_zoo().weights(REFERENCE_MODEL)
    assert found.reference == hashlib.sha256(weights).hexdigest()
