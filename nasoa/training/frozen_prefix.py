"""The frozen prefix of a network as a fast, pure function of images."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from nasoa.training.fusion import fuse
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision


class FrozenPrefix:
    """The frozen prefix of a network as a fast, pure function of images.

    Its output equals that of the prefix in evaluation mode, up to rounding. Batch normalisation is
    folded into convolutions. On CPUs, activations and residual additions are fused with the
    convolution before them, whose weights are stored in oneDNN's own layout. For half precision,
    the weights are cast once instead of in each call.

    Args:
        prefix: the prefix from `split_network`; it is copied and not changed.
        precision: device and number formats.
    """

    def __init__(self, prefix: nn.Sequential, precision: Precision) -> None:
        self.precision = precision
        keep_freed_memory()
        self._is_empty = not len(prefix)
        copied = copy.deepcopy(prefix).eval().requires_grad_(False)
        # Fold in float32: scaling in half precision would lose digits of the weights.
        module = fuse(copied, activations=_has_one_dnn(precision))
        if precision.frozen_dtype is not None:
            module = module.to(dtype=precision.frozen_dtype)
        self._module = precision.place(module)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            images: `(b, 3, r, r)` normalised images, float32, on the device.

        Returns:
            `(b, c, h, w)` features in the number format of the trained part, `autocast_dtype` of
            `precision`; the images themselves if the prefix is empty.
        """
        if self._is_empty:
            return images
        placed = self.precision.place_images(images).to(self.precision.frozen_dtype)
        # Not inference mode: the trainable part may save its inputs for the backward pass.
        with torch.no_grad():
            features = cast(Tensor, self._module(placed))
            return features.float() if self.precision.autocast_dtype is None else features


def _has_one_dnn(precision: Precision) -> bool:
    """Return whether oneDNN's convolutions support this device and number format."""
    if precision.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if precision.frozen_dtype is torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return precision.frozen_dtype is None
