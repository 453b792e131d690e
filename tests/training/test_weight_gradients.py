"""Weight gradients by matrix products equal those of torch."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from nasoa.training.precision import Precision
from nasoa.training.weight_gradients import MatrixGradientConv2d, use_matrix_gradients

FLOAT = Precision(torch.device("cpu"), None, channels_last=True)


def conv(*arguments: int, **options: int | bool) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(*arguments, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plain", "side"),
    [
        (conv(24, 24, 5, padding=2, groups=24, bias=False), 4),
        (conv(24, 24, 5, stride=2, padding=2, groups=24), 8),
        (conv(24, 24, 7, padding=3, groups=24), 2),
        (conv(24, 24, 5, padding=2, groups=24), 40),
        (conv(128, 128, 3, padding=1, bias=False), 2),
        (conv(128, 136, 3, stride=2, padding=1), 4),
        (conv(128, 128, 3, padding=1), 9),
    ],
)
def test_gradients_are_those_of_torch(plain: nn.Conv2d, side: int) -> None:
    other = copy.deepcopy(plain)
    use_matrix_gradients(other, FLOAT)
    assert type(other) is MatrixGradientConv2d
    results = []
    for module in (plain, other):
        generator = torch.Generator().manual_seed(1)
        images = torch.randn(3, plain.in_channels, side, side, generator=generator)
        images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
        output = module(images)
        output.backward(torch.randn(output.shape, generator=generator))
        bias = [] if module.bias is None else [module.bias.grad]
        results.append([output, images.grad, module.weight.grad, *bias])
        module.zero_grad()
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_other_convolutions_and_formats_are_left_alone() -> None:
    network = nn.Sequential(
        conv(8, 8, 3, padding=1, groups=8), conv(8, 8, 3, padding=1), conv(200, 200, 1)
    )
    use_matrix_gradients(network, FLOAT)
    assert {type(module) for module in network} == {nn.Conv2d}
    wide = conv(8, 8, 5, padding=2, groups=8)
    use_matrix_gradients(wide, replace(FLOAT, autocast_dtype=torch.bfloat16))
    assert type(wide) is nn.Conv2d


def test_a_frozen_convolution_passes_gradients_on() -> None:
    module = conv(8, 8, 5, padding=2, groups=8).requires_grad_(False)
    use_matrix_gradients(module, FLOAT)
    images = torch.randn(2, 8, 4, 4, requires_grad=True)
    module(images).sum().backward()
    assert images.grad is not None
    assert module.weight.grad is None
