"""A fused convolution computes what PyTorch's own layers compute, in both number formats."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nasoa.training.fused_conv import NO_ACTIVATION, Activation, FusedConv

HAS_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
FORMATS = [
    torch.float32,
    pytest.param(
        torch.bfloat16,
        marks=pytest.mark.skipif(not HAS_BFLOAT16, reason="this CPU has no bfloat16"),
    ),
]
ACTIVATIONS = [NO_ACTIVATION, Activation("relu")]  # those that may follow an addition


def _tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.name)
@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("side", [1, 6])
def test_a_residual_is_added(
    dtype: torch.dtype,
    activation: Activation,
    groups: int,
    layout: torch.memory_format,
    side: int,
) -> None:
    weight, bias = _tensor(0, 16, 8 // groups, 3, 3), _tensor(1, 16)
    images, other = _tensor(2, 3, 8, side, side), _tensor(3, 3, 16, side, side)
    expected = activation(functional.conv2d(images, weight, bias, 1, 1, 1, groups) + other)
    conv = FusedConv(weight.to(dtype), bias.to(dtype), (1, 1), (1, 1), (1, 1), groups)
    conv.activation = activation
    with torch.inference_mode():
        found = conv(images.to(dtype, memory_format=layout), other.to(dtype, memory_format=layout))
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=0.02)
