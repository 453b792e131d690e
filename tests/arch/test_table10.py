"""Published networks against Table 10, and known ones (Table 9) against torchvision's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nasoa.arch import build_network, measure_cost, measure_parts, parse

TABLE_10 = [
    ("ET-NAS-A", "2- 32 2-11-112-1121112", 2.6, 0.23, 1.3),
    ("ET-NAS-B", "031- 32 1-1-221-11121", 3.9, 0.39, 1.3),
    ("ET-NAS-C", "011- 32 2-211-2-111122", 7.1, 0.58, 2.0),
    ("ET-NAS-D", "031- 64 1-1-221-11121", 15.2, 1.55, 2.6),
    ("ET-NAS-E", "011- 64 21-211-121-11111121", 21.4, 2.61, 4.7),
    ("ET-NAS-F", "10001- 64 4-111-11122-1111111111111112", 28.4, 2.31, 6.8),
    ("ET-NAS-G", "211- 64 41-211-121-11111121", 49.3, 5.68, 8.4),
    ("ET-NAS-H", "10001- 64 4-111111111-211112111112-11111", 44.0, 5.33, 10.9),
    ("ET-NAS-I", "02031-a02 64 111-2111-21111111111111111111111-211", 72.4, 13.13, 14.6),
    ("ET-NAS-J", "211- 64 411-2111-21111111111111111111111-211", 103.0, 18.16, 15.9),
    (
        "ET-NAS-K",
        "02031-a02 64 1121-111111111111111111111111111-21111111211111-1",
        87.3,
        27.51,
        31.3,
    ),
    ("ET-NAS-L", "23311-a02c12 64 211-2111-21111111111111111111111-211", 130.4, 23.46, 19.4),
]


@pytest.mark.parametrize(("name", "text", "mparam", "gmac", "mact"), TABLE_10)
def test_figures_of_table_10(name: str, text: str, mparam: float, gmac: float, mact: float) -> None:
    spec = parse(text)
    with torch.device("meta"):
        network = build_network(spec)
    cost = measure_cost(network, resolution=224)
    assert round(cost.params / 1e6, 1) == mparam
    assert round(cost.macs / 1e9, 2) == gmac
    assert round(cost.activations / 1e6, 1) == mact


def test_typed_in_table_is_the_shared_one(shared: Path) -> None:
    rows = json.loads((shared / "paper/tables.json").read_text())["table10_et_nas"]["rows"]
    typed = [(n, f"{b} {c} {m}", p, g, a) for n, b, c, m, p, g, a, *_ in rows]
    assert typed == TABLE_10


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resnet18", "020- 64 11-21-21-21"),
        ("resnet34", "020- 64 111-2111-211111-211"),
        ("resnet50", "10001- 64 411-2111-211111-211"),
        ("wide_resnet50_2", "11011- 64 411-2111-211111-211"),
    ],
)
def test_table_9_is_the_known_networks_but_for_the_stem(name: str, text: str) -> None:
    """The encodings' stem differs from ResNet's 7x7; stages and head have equal parameters.

    Wide ResNet50's published width of 1,024 to 2,048 at half the ratio is the same multiple here.
    """
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        known = getattr(models, name)()
    theirs = sum(p.numel() for n, p in known.named_parameters() if n.startswith(("layer", "fc")))
    with torch.device("meta"):
        ours = measure_parts(build_network(parse(text)), 64)
    assert sum(part.params for part in ours[1:]) == theirs
