"""A frozen prefix computes the same as the original modules, and does not change them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.fused_conv import FusedConv
from nasoa.training.fusion import fuse
from nasoa.training.inputs import split_network
from nasoa.training.precision import Precision
from nasoa.zoo.backbones import build_staged

CPU = torch.device("cpu")
FLOAT = Precision(CPU, None, channels_last=True)
HALF = Precision(CPU, torch.bfloat16, channels_last=True)
MIXED = Precision(CPU, None, channels_last=True, halves_frozen=True)
NETWORKS: dict[str, Callable[[], StagedNetwork]] = {
    "et-nas": lambda: build_network(parse("011- 16 1-1-21-1112"), 10),
    "et-nas, concatenations": lambda: build_network(parse("031-c12 16 1-1-1-1"), 10),
    "mobilenet_v3_small": lambda: build_staged("torchvision:mobilenet_v3_small", 10, 64),
    "resnet18": lambda: build_staged("torchvision:resnet18", 10, 64),
    "regnet_y_400mf": lambda: build_staged("torchvision:regnet_y_400mf", 10, 64),
    "efficientnet-lite0": lambda: build_staged("lite:efficientnet-lite0", 10, 64),
    "vit": lambda: build_staged("timm:vit_tiny_patch16_224", 10, 224),
}


def trained(build: Callable[[], StagedNetwork], resolution: int) -> StagedNetwork:
    """Return a network in training mode with non-trivial batch-normalisation statistics."""
    torch.manual_seed(0)
    network = build()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = None  # the average over all batches
            module.reset_running_stats()
    with torch.no_grad():
        network.train()(torch.randn(4, 3, resolution, resolution))
    return network


def error(found: Tensor, expected: Tensor) -> float:
    """Return the root mean square of the differences, relative to that of the expected values."""
    difference = functional.mse_loss(found.float(), expected.float()).sqrt()
    return float(difference / expected.float().square().mean().sqrt())


@pytest.mark.parametrize("name", NETWORKS)
def test_any_prefix_equals_the_plain_one(name: str) -> None:
    resolution = 224 if name == "vit" else 64
    network = trained(NETWORKS[name], resolution)
    images = torch.randn(3, 3, resolution, resolution)
    before = copy.deepcopy(network.state_dict())
    for frozen_stages in range(-1, 5):
        prefix, _ = split_network(network, frozen_stages)
        frozen = FrozenPrefix(prefix, FLOAT)
        found = frozen(images)
        again = frozen(images[:1])  # another batch size
        assert all(module.training for module in prefix.modules())
        with torch.no_grad():
            plain = copy.deepcopy(prefix).eval()
            expected = plain(images)
        assert found.shape == expected.shape
        assert error(found, expected) < 1e-4
        assert error(again, expected[:1]) < 1e-4
        assert not found.requires_grad
    assert network.training
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_is_near_the_plain_prefix(name: str) -> None:
    resolution = 224 if name == "vit" else 64
    network = trained(NETWORKS[name], resolution)
    images = torch.randn(2, 3, resolution, resolution)
    prefix, _ = split_network(network, 3)
    found = FrozenPrefix(prefix, HALF)(images)
    plain = copy.deepcopy(prefix).eval()
    with torch.no_grad():
        expected = plain(images)
        with HALF.autocast():
            cast = plain(images)
    assert found.dtype is torch.bfloat16
    assert error(found, expected) < max(0.02, 1.2 * error(cast, expected))


def test_what_trains_in_float32_gets_features_of_half_precision_in_float32() -> None:
    network = trained(NETWORKS["efficientnet-lite0"], 64)
    prefix, trainable = split_network(network, 3)
    images = torch.randn(2, 3, 64, 64)
    found = FrozenPrefix(prefix, MIXED)(images)
    assert found.dtype is torch.float32
    assert torch.equal(found, FrozenPrefix(prefix, HALF)(images).float())
    trainable(found).sum().backward()
    assert all(parameter.grad is not None for parameter in trainable.parameters())


def test_nothing_frozen_gives_the_images_back() -> None:
    images = torch.randn(2, 3, 8, 8)
    assert FrozenPrefix(nn.Sequential(), HALF)(images) is images


def test_features_train_what_follows(network: StagedNetwork) -> None:
    prefix, trainable = split_network(network, 1)
    features = FrozenPrefix(prefix, FLOAT)(torch.randn(2, 3, 32, 32))
    trainable(features).sum().backward()
    assert all(parameter.grad is not None for parameter in trainable.parameters())
    assert all(parameter.grad is None for parameter in prefix.parameters())


class Odd(nn.Module):
    """A network that branches on a value, so that it cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        """Return `(b, 4, r - 2, r - 2)` features of `(b, 3, r, r)` images."""
        return self.norm(self.conv(images if images.sum() > 0 else -images))


def test_what_cannot_be_traced_is_computed_as_it_is() -> None:
    prefix = nn.Sequential(Odd())
    images = torch.randn(2, 3, 8, 8)
    expected = copy.deepcopy(prefix).eval()(images)
    assert error(FrozenPrefix(prefix, FLOAT)(images), expected.detach()) < 1e-5


class Shared(nn.Module):
    """A network with a convolution that is called twice, an output that is used twice, and an
    addition that broadcasts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.first = nn.BatchNorm2d(3)
        self.second = nn.BatchNorm2d(3)
        self.last = nn.Conv2d(3, 3, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return `(b, 3, r, r)` features of `(b, 3, r, r)` images."""
        once = torch.relu(self.first(self.conv(images)))
        twice = self.second(self.conv(once))
        return torch.relu(self.last(twice) + self.pool(once)) + twice


def test_shared_and_broadcast_values_stay_right() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(Shared()).eval()
    nn.init.uniform_(module[0].second.running_mean)
    images = torch.randn(2, 3, 8, 8)
    assert error(FrozenPrefix(module, FLOAT)(images), module(images).detach()) < 1e-5


def test_every_convolution_of_a_lite_network_is_fused() -> None:
    network = build_staged("lite:efficientnet-lite0", 10, 64).eval()
    prefix, _ = split_network(network, 4)
    fused = fuse(copy.deepcopy(prefix), activations=True)
    kinds = [type(module) for module in fused.modules()]
    assert kinds.count(FusedConv) == 49
    assert nn.BatchNorm2d not in kinds
    assert nn.ReLU6 not in kinds
    assert nn.ZeroPad2d not in kinds


@given(
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    own=st.integers(0, 2),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    side=st.integers(9, 14),
    is_deep=st.booleans(),
)
def test_a_convolution_pads_by_itself_where_it_can(
    padding: tuple[int, int, int, int],
    own: int,
    kernel: int,
    stride: int,
    dilation: int,
    side: int,
    is_deep: bool,
) -> None:
    """Any padding gives the same features; where both sides fit, nothing is padded before."""
    conv = nn.Conv2d(3, 3, kernel, stride, own, dilation, groups=3 if is_deep else 1, bias=is_deep)
    module = nn.Sequential(nn.ZeroPad2d(padding), conv).eval()
    images = torch.randn(2, 3, side, side)
    fused = fuse(copy.deepcopy(module), activations=True)
    assert torch.allclose(fused(images), module(images), atol=1e-5)
    left, right, top, bottom = padding
    fits = right - left in (0, dilation) and bottom - top in (0, dilation)
    assert any(isinstance(m, nn.ZeroPad2d) for m in fused.modules()) == (not fits)


def test_padding_that_another_needs_too_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pad = nn.ZeroPad2d(1)
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, images: Tensor) -> Tensor:
            padded = self.pad(images)
            return self.conv(padded) + padded.mean()

    module = Twice().eval()
    images = torch.randn(2, 3, 8, 8)
    fused = fuse(copy.deepcopy(module), activations=True)
    assert torch.allclose(fused(images), module(images), atol=1e-5)


def test_values_other_than_zero_are_padded_before() -> None:
    module = nn.Sequential(nn.ConstantPad2d(1, 0.5), nn.Conv2d(3, 3, 3)).eval()
    images = torch.randn(2, 3, 8, 8)
    fused = fuse(copy.deepcopy(module), activations=True)
    assert torch.allclose(fused(images), module(images), atol=1e-5)
