"""The twelve published layouts load strictly, and weights that do not fit are rejected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nasoa.arch import parse
from nasoa.errors import WeightsError
from nasoa.zoo.published import load_published, recognise

NAMES = [f"ET-NAS-{letter}" for letter in "ABCDEFGHIJKL"]


@pytest.fixture(scope="module")
def layouts(shared: Path) -> dict[str, dict[str, object]]:
    return json.loads((shared / "paper/published_checkpoint_layout.json").read_text())


def random_state(keys: dict[str, list[int]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.rand(shape, generator=generator) if shape else torch.tensor(3, dtype=torch.int64)
        for key, shape in keys.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_published_layout_loads_strictly(layouts: dict, name: str) -> None:
    layout = layouts[name]
    state = random_state(layout["keys"])
    network = load_published(parse(layout["encoding"]), state)
    total = sum(v.double().sum() for v in state.values())
    assert sum(v.double().sum() for v in network.state_dict().values()) == pytest.approx(total)


@pytest.mark.parametrize("name", ["ET-NAS-A", "ET-NAS-E", "ET-NAS-F"])
def test_a_file_is_known_by_its_shapes(layouts: dict, name: str) -> None:
    model, _network = recognise(random_state(layouts[name]["keys"]))
    assert model.name == name


def test_a_network_runs_with_the_loaded_weights(layouts: dict) -> None:
    state = random_state(layouts["ET-NAS-L"]["keys"])
    network = load_published(parse(layouts["ET-NAS-L"]["encoding"]), state).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("fc.weight"), "expected a tensor 'fc.weight'"),
        (lambda s: s.update({"fc.weight": torch.zeros(7, 512)}), r"shape \(1000, 512\), got"),
        (lambda s: s.update({"extra": torch.zeros(1)}), "'extra' is left over"),
    ],
)
def test_what_does_not_fit_is_refused(layouts: dict, change, message: str) -> None:
    state = random_state(layouts["ET-NAS-A"]["keys"])
    change(state)
    with pytest.raises(WeightsError, match=message):
        load_published(parse(layouts["ET-NAS-A"]["encoding"]), state)


def test_an_unknown_network_is_refused(layouts: dict) -> None:
    state = random_state(layouts["ET-NAS-A"]["keys"])
    state["layers.0.0.weight"] = torch.zeros(17, 3, 3, 3)
    with pytest.raises(WeightsError, match="none of the twelve"):
        recognise(state)
