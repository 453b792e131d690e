"""Compute weight gradients of convolutions that have no fast oneDNN kernel on CPUs.

With small images, two kinds of convolution take most of a training step in float32: depthwise
convolutions wider than 3x3, and dense convolutions whose output has only a few pixels. Their weight
gradients are sums of outer products, which are computed here as matrix products
(docs/decisions/0018). In bfloat16, `nasoa.training.matrix_convolution` does more.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasoa.training.matrix_convolution import (
    MatrixConv2d,
    input_gradient,
    output_sides,
    pair,
)
from nasoa.training.precision import Precision

MOST_PAIRS = 64 * 16  # pairs of an input and an output pixel of a depthwise convolution
MOST_PIXELS = 4  # output pixels of a dense convolution
FEWEST_WEIGHTS = 3 * 3 * 128 * 128  # of a dense convolution; below this nothing is gained


def use_matrix_gradients(module: nn.Module, precision: Precision) -> None:
    """Make convolutions of `module` compute weight gradients by matrix products if that is faster.

    Weights, their names and evaluation do not change. On devices other than CPUs, nothing happens.
    """
    if precision.device.type != "cpu":
        return
    for conv in module.modules():
        if type(conv) in (MatrixConv2d, MatrixGradientConv2d):
            conv.__class__ = nn.Conv2d  # it may have been for another number format
        if type(conv) is not nn.Conv2d or not _is_simple(conv):
            continue
        if precision.autocast_dtype is torch.bfloat16:
            if conv.groups == 1:
                conv.__class__ = MatrixConv2d
        elif _is_wide_depthwise(conv) or _is_large(conv):
            conv.__class__ = MatrixGradientConv2d


class MatrixGradientConv2d(nn.Conv2d):
    """A convolution whose weight gradient is a matrix product if its feature maps are small."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in `nn.Conv2d`
        """Return `(b, out, h', w')` outputs for `(b, in, h, w)` inputs, as `torch.nn.Conv2d`."""
        # Check for evaluation first: the input may then be a traced value without a shape.
        if not self.training or not self.weight.requires_grad or not self._pays(input):
            return super().forward(input)
        output: Tensor = _MatrixGradient.apply(
            input, self.weight, self.bias, self.stride, self.padding, self.groups
        )
        return output

    def _pays(self, features: Tensor) -> bool:
        shapes = (features.shape[2:], self.kernel_size, self.stride, self.padding)
        height, width = output_sides(*map(pair, shapes))
        pixels = height * width
        if self.groups == 1:
            return pixels <= MOST_PIXELS
        return pixels * features.shape[2] * features.shape[3] <= MOST_PAIRS


class _MatrixGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.geometry = (stride, padding, groups)
        return functional.conv2d(features, weight, bias, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        stride, padding, groups = ctx.geometry
        of_features = None
        if ctx.needs_input_grad[0]:
            of_features = input_gradient(features, weight, gradient, stride, padding, groups)
        of_weight = (_dense if groups == 1 else _depthwise)(
            features, gradient, weight, stride, padding
        )
        of_bias = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return of_features, of_weight, of_bias, None, None, None


def _dense(
    features: Tensor,
    gradient: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """Multiply patches of the input with the gradient of the output."""
    kernel = (weight.shape[2], weight.shape[3])
    patches = functional.unfold(features, kernel, padding=padding, stride=stride)
    rows = patches.transpose(1, 2).reshape(-1, patches.shape[1])
    columns = gradient.permute(1, 0, 2, 3).reshape(gradient.shape[1], -1)
    return (columns @ rows).view_as(weight)


def _depthwise(
    features: Tensor,
    gradient: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """Multiply each input pixel with each output gradient, and sum the products by offset."""
    channels = weight.shape[0]
    inputs = features.permute(1, 2, 3, 0).reshape(channels, -1, len(features))
    outputs = gradient.permute(1, 0, 2, 3).reshape(channels, len(features), -1)
    pairs = torch.bmm(inputs, outputs).view(channels, -1)
    offsets = _offsets(
        tuple(features.shape[2:]),
        tuple(gradient.shape[2:]),
        tuple(weight.shape[2:]),
        stride,
        padding,
    )
    return (pairs @ offsets).view_as(weight)


@cache
def _offsets(
    input_sides: tuple[int, int],
    output_sides: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """Return an `(inputs * outputs, kh * kw)` mask of which weight connects which two pixels."""
    along: list[Tensor] = []
    for axis in range(2):
        i = torch.arange(input_sides[axis]).view(-1, 1, 1)
        o = torch.arange(output_sides[axis]).view(1, -1, 1)
        k = torch.arange(kernel[axis]).view(1, 1, -1)
        along.append((o * stride[axis] - padding[axis] + k == i).float())
    connected = torch.einsum("ior,pqs->ipoqrs", *along)
    pixels = input_sides[0] * input_sides[1] * output_sides[0] * output_sides[1]
    return connected.reshape(pixels, kernel[0] * kernel[1])


def _is_wide_depthwise(conv: nn.Conv2d) -> bool:
    single = conv.groups == conv.in_channels == conv.out_channels > 1
    return single and max(conv.kernel_size) > 3


def _is_large(conv: nn.Conv2d) -> bool:
    wide = max(conv.kernel_size) > 1 and conv.weight.numel() >= FEWEST_WEIGHTS
    return conv.groups == 1 and wide


def _is_simple(conv: nn.Conv2d) -> bool:
    zero_padded = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return zero_padded and conv.dilation == (1, 1)
