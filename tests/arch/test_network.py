"""Networks built from specs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasoa.arch import build_network, measure_cost, measure_parts, parse
from nasoa.arch.network import Block, SkipConnection

SMALL = "011- 16 1-2-1-2"


@pytest.mark.parametrize("resolution", [32, 64, 96, 97])
@pytest.mark.parametrize(
    "text", [SMALL, "23311-a02c12 16 2-11-2-1", "02031-a02c03 16 1-2-1-21", "4- 16 1-1-1-1"]
)
def test_forward_gives_logits_at_any_resolution(text: str, resolution: int) -> None:
    network = build_network(parse(text), num_classes=7).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, resolution, resolution)).shape == (2, 7)
    assert network.num_classes == 7


def test_stages_halve_the_side() -> None:
    network = build_network(parse(SMALL), num_classes=3).eval()
    features = torch.rand(1, 3, 64, 64)
    shapes = []
    with torch.no_grad():
        for part in network.parts[:-1]:
            features = part(features)
            shapes.append(tuple(features.shape[1:]))
    assert shapes == [(16, 16, 16), (16, 16, 16), (32, 8, 8), (32, 4, 4), (64, 2, 2)]


def test_equal_specs_build_equal_networks() -> None:
    texts = ("02031-a02 16 1-2-1-2", "02031-a02_16_1-2-1-2")
    images = torch.rand(2, 3, 32, 32)
    outputs = []
    for text in texts:
        torch.manual_seed(3)
        with torch.no_grad():
            outputs.append(build_network(parse(text), 5).eval()(images))
    assert torch.equal(*outputs)


def test_a_concatenation_into_the_last_place_keeps_the_width() -> None:
    block = Block(parse("020-c02 16 1-1-1-1"), in_channels=16, width=16, stride=1)
    assert block(torch.rand(1, 16, 8, 8)).shape == (1, 16, 8, 8)
    skips = [m for m in block.modules() if isinstance(m, SkipConnection)]
    assert [isinstance(skip.reduction, nn.Identity) for skip in skips] == [False, True]


def test_a_later_skip_reads_the_value_after_relu() -> None:
    block = Block(parse("020-a12 8 1-1-1-1"), in_channels=8, width=8, stride=1).eval()
    features = torch.randn(1, 8, 4, 4)
    with torch.no_grad():
        first = torch.relu(block.operators[0](features))
        expected = torch.relu(block.operators[1](first) + first + features)
        assert torch.allclose(block(features), expected, atol=1e-6)


def test_costs_of_parts_add_up() -> None:
    network = build_network(parse(SMALL), num_classes=10)
    whole, parts = measure_cost(network, 64), measure_parts(network, 64)
    assert len(parts) == 6
    assert sum(part.params for part in parts) == whole.params
    assert sum(part.macs for part in parts) == whole.macs
    assert sum(part.activations for part in parts) == whole.activations


def test_counting_a_stem_by_hand() -> None:
    stem = measure_parts(build_network(parse("0- 4 1-1-1-1"), 2), 32)[0]
    # 3 -> 2 at 16 px, 2 -> 2 at 16 px, 2 -> 4 at 8 px, all 3x3.
    assert stem.macs == 9 * (256 * 2 * 3 + 256 * 2 * 2 + 64 * 4 * 2)
    assert stem.activations == 256 * 2 + 256 * 2 + 64 * 4
    assert stem.params == 9 * (3 * 2 + 2 * 2 + 2 * 4) + 2 * (2 + 2 + 4)
