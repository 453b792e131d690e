"""Splitting networks into stages by their structure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from nasoa.arch import StagedNetwork
from nasoa.arch.stages import find_stages
from nasoa.errors import BackboneError

SIDE = 64


def vit() -> nn.Module:
    """A ViT of 5 blocks, which cannot be divided evenly into four stages."""
    return models.VisionTransformer(SIDE, 16, 5, 2, 32, 64, num_classes=7)


def convnext() -> nn.Module:
    settings = [
        models.convnext.CNBlockConfig(width, following, depth)
        for width, following, depth in ((16, 32, 1), (32, 48, 1), (48, 64, 2), (64, None, 1))
    ]
    return models.ConvNeXt(settings, num_classes=7)


def of(name: str) -> Callable[[], nn.Module]:
    return lambda: models.get_model(name, weights=None, num_classes=7)


# Channels and side of the outputs of stem and stages 1 to 3 at 64 px: strides 2 or 4, 4, 8, 16.
EXPECTED = {
    "resnet18": (of("resnet18"), [(64, 16), (64, 16), (128, 8), (256, 4)]),
    "regnet_y_400mf": (of("regnet_y_400mf"), [(32, 32), (48, 16), (104, 8), (208, 4)]),
    "efficientnet_b0": (of("efficientnet_b0"), [(16, 32), (24, 16), (40, 8), (112, 4)]),
    "mobilenet_v3_small": (of("mobilenet_v3_small"), [(16, 32), (16, 16), (24, 8), (48, 4)]),
    "convnext": (convnext, [(16, 16), (16, 16), (32, 8), (48, 4)]),
}


def outputs(network: StagedNetwork, images: Tensor) -> list[Tensor]:
    found = []
    for part in network.parts:
        images = part(images)
        found.append(images)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_a_stage_begins_where_the_maps_shrink(name: str) -> None:
    make, shapes = EXPECTED[name]
    model = make().eval()
    network = find_stages(model, 224).eval()
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        *stages, last, logits = outputs(network, images)
        assert [(s.shape[1], s.shape[2]) for s in stages] == shapes
        assert last.shape[2:] == (1, 1)
        assert torch.equal(logits, model(images))


def test_a_transformer_is_divided_by_its_blocks() -> None:
    model = vit().eval()
    network = find_stages(model, SIDE).eval()
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(outputs(network, images)[-1], model(images))
    blocks = [
        sum(isinstance(m, models.vision_transformer.EncoderBlock) for m in part.modules())
        for part in network.parts
    ]
    assert blocks[0] == blocks[5] == 0
    assert sorted(blocks[1:5]) == [1, 1, 1, 2]


@pytest.mark.parametrize("make", [of("mobilenet_v3_small"), vit], ids=["convolutions", "tokens"])
def test_every_parameter_is_in_one_part(make: Callable[[], nn.Module]) -> None:
    model = make()
    network = find_stages(model, SIDE)
    own = [id(p) for part in network.parts for p in part.parameters()]
    assert sorted(own) == sorted(id(p) for p in model.parameters())
    assert {key.split(".", 1)[0] for key in network.state_dict()} == {"stem", "stages", "head"}


def test_training_and_evaluation_stay_different() -> None:
    network = find_stages(of("efficientnet_b0")(), 224)
    images = torch.rand(4, 3, SIDE, SIDE)
    with torch.no_grad():
        assert not torch.equal(network.train()(images), network(images))
        assert torch.equal(network.eval()(images), network(images))


class Forked(nn.Module):
    """A model whose forward pass depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        pooled = images.mean((2, 3))
        return self.fc(pooled if pooled.sum() > 0 else -pooled)


class Masked(nn.Module):
    """A model that takes more than images."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        return self.fc((images * mask).mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (of("squeezenet1_1")(), "last layer is 'classifier.3', a AdaptiveAvgPool2d"),
        (nn.Sequential(nn.Flatten()), "ends in a linear layer, but it has none"),
        (Forked(), "cannot"),
        (Masked(), "only images, but it also takes 'mask'"),
        (
            nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
            ),
            "at least 4 blocks after the stem, .* got 0",
        ),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(222, 2)), "one vector per image"),
        (vit(), "does not accept 224 px images"),
    ],
    ids=[
        "convolutional head",
        "no head",
        "forked",
        "two inputs",
        "no stages",
        "maps into the head",
        "size",
    ],
)
def test_what_cannot_be_taken_apart_is_said(model: nn.Module, problem: str) -> None:
    with pytest.raises(BackboneError, match=problem):
        find_stages(model, 224)
