"""Train dense convolutions in bfloat16 on CPUs by matrix products if their maps are small.

oneDNN reorders the weights of a convolution in every call. Where the maps have few pixels, this
takes longer than the convolution itself, above all for the gradient of the weights. Here, patches
of the input are copied into the rows of a matrix instead, so that the output and both gradients are
matrix products (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

MOST_PIXELS = 16  # output pixels of a convolution; of one of 1x1 or with many weights `MANY_PIXELS`
MANY_PIXELS = 64
MANY_WEIGHTS = 3 * 3 * 256 * 256
FEW_PIXELS = 16  # output pixels up to which output and input gradient are matrix products too
MOST_PATCHES = 2**26  # numbers in the patches of a batch

Pair = tuple[int, int]


class MatrixConv2d(nn.Conv2d):
    """A dense, undilated, zero-padded convolution that is trained by matrix products if that pays.

    Outputs in evaluation, weights and their names are those of `torch.nn.Conv2d`.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in `nn.Conv2d`
        """Return `(b, out, h', w')` outputs for `(b, in, h, w)` inputs, as `torch.nn.Conv2d`."""
        # Check for evaluation first: the input may then be a traced value without a shape.
        if not self.training or not self.weight.requires_grad or not self._pays(input):
            return super().forward(input)
        output: Tensor = _Convolution.apply(
            input, self.weight, self.bias, self.stride, self.padding
        )
        return output

    def _pays(self, features: Tensor) -> bool:
        if features.dim() != 4:
            return False
        shapes = (features.shape[2:], self.kernel_size, self.stride, self.padding)
        sides = output_sides(*map(pair, shapes))
        pixels = sides[0] * sides[1]
        has_many = self.kernel_size == (1, 1) or self.weight.numel() >= MANY_WEIGHTS
        if min(sides) < 1 or pixels > (MANY_PIXELS if has_many else MOST_PIXELS):
            return False
        return len(features) * pixels * self.weight[0].numel() <= MOST_PATCHES


class _Convolution(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.geometry = (stride, padding)
        kernel, before = pair(weight.shape[2:]), pair(features.shape[2:])
        sides = output_sides(before, kernel, stride, padding)
        if sides[0] * sides[1] > FEW_PIXELS:
            return functional.conv2d(features, weight, bias, stride, padding)
        # Not a view of a product: an in-place activation may follow, which autograd refuses then.
        output = torch.empty(
            (len(features), len(weight), *sides),
            dtype=features.dtype,
            memory_format=torch.channels_last,
        )
        product = output.permute(0, 2, 3, 1).view(-1, len(weight))
        rows = _patches(features, kernel, stride, padding, sides)
        if bias is None:
            torch.mm(rows, _as_matrix(weight).T, out=product)
        else:
            torch.addmm(bias, rows, _as_matrix(weight).T, out=product)
        return output

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        features, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        gradient = grad_outputs[0].to(features.dtype)
        kernel, sides = pair(weight.shape[2:]), pair(gradient.shape[2:])
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, len(weight))
        patches = _patches(features, kernel, stride, padding, sides)
        of_weight = (rows.T @ patches).view(len(weight), *kernel, -1).permute(0, 3, 1, 2)
        of_features = None
        if ctx.needs_input_grad[0] and sides[0] * sides[1] <= FEW_PIXELS:
            patches = rows @ _as_matrix(weight)
            of_features = _sum_of_patches(patches, features.shape, kernel, stride, padding, sides)
        elif ctx.needs_input_grad[0]:
            of_features = input_gradient(features, weight, gradient, stride, padding)
        of_bias = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return of_features, of_weight, of_bias, None, None


def input_gradient(
    features: Tensor,
    weight: Tensor,
    gradient: Tensor,
    stride: Pair,
    padding: Pair,
    groups: int = 1,
) -> Tensor:
    """Return torch's gradient of a convolution's `(b, in, h, w)` input.

    Args:
        features: the input.
        weight: `(out, in / groups, kh, kw)` weights.
        gradient: `(b, out, h', w')` gradient of the output.
        stride: stride of each axis.
        padding: padding of each axis.
        groups: groups of the convolution.
    """
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient,
        features,
        weight,
        None,
        stride,
        padding,
        [1, 1],
        False,
        [0, 0],
        groups,
        [True, False, False],
    )[0]
    return found


def pair(numbers: Sequence[Any]) -> Pair:
    """Return two numbers as integers."""
    first, second = numbers
    return int(first), int(second)


def output_sides(sides: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """Return height and width of the output of an undilated convolution."""
    height, width = (
        (sides[axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in range(2)
    )
    return height, width


def _as_matrix(weight: Tensor) -> Tensor:
    """Return `(out, kh * kw * in)` weights."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _patches(features: Tensor, kernel: Pair, stride: Pair, padding: Pair, sides: Pair) -> Tensor:
    """Return the input of every output pixel as a row: `(b * h' * w', kh * kw * in)`."""
    last = features.permute(0, 2, 3, 1)
    if padding != (0, 0):
        last = functional.pad(last, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    taps = [last[:, rows, columns] for rows, columns in _windows(kernel, stride, sides)]
    return torch.stack(taps, dim=3).flatten(0, 2).flatten(1)


def _sum_of_patches(
    patches: Tensor, shape: torch.Size, kernel: Pair, stride: Pair, padding: Pair, sides: Pair
) -> Tensor:
    """Return the `(b, in, h, w)` sum of what `_patches` spreads over rows."""
    count, channels, height, width = shape
    padded = patches.new_zeros(count, height + 2 * padding[0], width + 2 * padding[1], channels)
    taps = patches.view(count, *sides, kernel[0] * kernel[1], channels).unbind(dim=3)
    for tap, (rows, columns) in zip(taps, _windows(kernel, stride, sides), strict=True):
        padded[:, rows, columns] += tap
    inner = padded[:, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
    return inner.permute(0, 3, 1, 2)


def _windows(kernel: Pair, stride: Pair, sides: Pair) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of the pixels that each weight of a kernel multiplies."""
    for place in product(range(kernel[0]), range(kernel[1])):
        rows, columns = (
            slice(start, start + step * (side - 1) + 1, step)
            for start, step, side in zip(place, stride, sides, strict=True)
        )
        yield rows, columns
