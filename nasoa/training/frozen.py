"""The frozen prefix of a network as a pure function of images, computed as fast as it can be."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from nasoa.training.fusion import fuse
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision


class FrozenPrefix:
    """A frozen part of a network as a fast pure function of images.

    It computes what the prefix does in evaluation mode, up to rounding. Batch normalisation is
    folded into convolutions. On CPUs activations and residual additions are computed with the
    convolution before them, from weights in oneDNN's own layout. In half precision the weights are
    stored in it, so that they are not cast anew in each call.

    Args:
        prefix: what `split_network` gives; it is copied, and not changed.
        precision: where and in which format to compute.
    """

    def __init__(self, prefix: nn.Sequential, precision: Precision) -> None:
        self.precision = precision
        keep_freed_memory()
        self._is_empty = not len(prefix)
        copied = copy.deepcopy(prefix).eval().requires_grad_(False)
        # Folded in float32; scales of half precision would lose digits of the weights.
        module = fuse(copied, activations=_has_one_dnn(precision))
        if precision.autocast_dtype is not None:
            module = module.to(dtype=precision.autocast_dtype)
        self._module = precision.place(module)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            images: `(b, 3, r, r)` normalised, float32, on the device.

        Returns:
            `(b, c, h, w)` features, in float32 or in the half precision of `precision`.
        """
        if self._is_empty:
            return images
        placed = self.precision.place_images(images).to(self.precision.autocast_dtype)
        # Not inference mode: what is trained may keep its inputs for the backward pass.
        with torch.no_grad():
            return cast(Tensor, self._module(placed))


def _has_one_dnn(precision: Precision) -> bool:
    """Whether convolutions of oneDNN work here in this format."""
    if precision.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if precision.autocast_dtype is torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return precision.autocast_dtype is None
