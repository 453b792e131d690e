"""A convolution for inference, fused with its activation and residual addition by oneDNN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Activation:
    """An elementwise function, named as in oneDNN.

    Args:
        name: `"none"`, `"relu"`, `"hardtanh"`, `"hardswish"`, `"hardsigmoid"`, `"swish"` or
            `"sigmoid"`.
        bounds: lower and upper bound of `"hardtanh"`.
    """

    name: str = "none"
    bounds: tuple[float, ...] = ()

    def __call__(self, values: Tensor) -> Tensor:
        """Apply the function to `values`, elementwise."""
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
    """Computes `activation(conv(features) + other)`, where `other` is optional.

    oneDNN computes it in one pass over the feature maps. It chooses the layout of the weights for
    the shape of the first input.

    Args:
        weight: `(out, in / groups, kh, kw)` weights.
        bias: `(out,)` bias, or None.
        stride, padding, dilation: two integers each.
        groups: number of groups, as in `torch.nn.Conv2d`.
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
        # Not a buffer, as an opaque tensor can be neither moved nor cast.
        self._packed: Tensor | None = None

    def forward(self, features: Tensor, other: Tensor | None = None) -> Tensor:
        """Return `(b, out, h', w')` outputs.

        Args:
            features: `(b, in, h, w)` inputs.
            other: values to add to the output of the convolution.
        """
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
        """Return whether oneDNN can add `other`: it has the output's shape and format.

        oneDNN does not broadcast, and PyTorch does not let it add to grouped convolutions: it
        falls back on a sum with an activation that there is for float32 only.
        """
        if self.groups > 1:
            return False
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
