"""A convolution of inference with its activation and residual addition in one oneDNN call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Activation:
    """An elementwise function by oneDNN's name for it.

    Args:
        name: `"none"`, `"relu"`, `"hardtanh"`, `"hardswish"`, `"hardsigmoid"`, `"swish"` or
            `"sigmoid"`.
        bounds: what `"hardtanh"` clamps to.
    """

    name: str = "none"
    bounds: tuple[float, ...] = ()

    def __call__(self, values: Tensor) -> Tensor:
        """The function of `values`, elementwise."""
        match self.name:
            case "none":
                return values
            case "hardtanh":
                return values.clamp(*self.bounds)
            case "swish":
                return functional.silu(values)
            case "sigmoid":
                return values.sigmoid()
        return cast(Tensor, getattr(functional, self.name)(values))


NO_ACTIVATION = Activation()


class FusedConv(nn.Module):
    """`activation(conv(features) + other)`, where `other` may be left out.

    oneDNN computes all of it in one pass over the feature maps. The weights are stored in the
    layout that it chooses for the first input.

    Args:
        weight: `(out, in / groups, kh, kw)`.
        bias: `(out,)` or None.
        stride, padding, dilation: two integers each.
        groups: as in `torch.nn.Conv2d`.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach(), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        self.stride = list(stride)
        self.padding = list(padding)
        self.dilation = list(dilation)
        self.groups = groups
        self.activation = NO_ACTIVATION
        # Not a buffer: an opaque tensor can be neither moved nor cast.
        self._packed: Tensor | None = None

    def forward(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        """`(b, in, h, w)` features, and what is added to the output -> `(b, out, h', w')`."""
        if other is None:
            return self._convolve(features, self.activation)
        if not self._can_add(features, other):
            return self.activation(self._convolve(features, NO_ACTIVATION) + other)
        return cast(
            Tensor,
            torch.ops.mkldnn._convolution_pointwise.binary(
                features,
                other,
                self._packed_for(features),
                self.bias,
                self.padding,
                self.stride,
                self.dilation,
                self.groups,
                "add",
                1.0,
                None if self.activation.name == "none" else self.activation.name,
                list(self.activation.bounds),
                "",
            ),
        )

    def _convolve(self, features: Tensor, activation: Activation) -> Tensor:
        return cast(
            Tensor,
            torch.ops.mkldnn._convolution_pointwise(
                features,
                self._packed_for(features),
                self.bias,
                self.padding,
                self.stride,
                self.dilation,
                self.groups,
                activation.name,
                list(activation.bounds),
                "",
            ),
        )

    def _packed_for(self, features: Tensor) -> Tensor:
        if self._packed is None:
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight,
                self.padding,
                self.stride,
                self.dilation,
                self.groups,
                list(features.shape),
            )
        return self._packed

    def _can_add(self, features: Tensor, other: Tensor) -> bool:
        """Whether `other` has the output's shape and format: oneDNN does not broadcast here."""
        sides = [
            (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, stride, padding, dilation in zip(
                features.shape[2:],
                self.weight.shape[2:],
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        ]
        shape = [features.shape[0], self.weight.shape[0], *sides]
        return list(other.shape) == shape and other.dtype == features.dtype
