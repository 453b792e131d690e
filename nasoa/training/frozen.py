"""A frozen part of a network as a pure function of its inputs, as fast as inference can be."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nasoa.training.precision import Precision


class FrozenPrefix:
    """A copy of a frozen prefix in evaluation mode, batch normalisation folded into convolutions.

    Args:
        prefix: stays as it is; an empty one returns its inputs.
        precision: where to compute; half precision is used where `precision` has one.
    """

    def __init__(self, prefix: nn.Sequential, precision: Precision) -> None:
        self._precision = precision
        self._dtype = precision.autocast_dtype or torch.float32
        folded = fold_bn(copy.deepcopy(prefix).eval().requires_grad_(False))
        self._prefix = precision.place(folded).to(self._dtype)
        self._is_empty = not len(prefix)

    def __call__(self, images: Tensor) -> Tensor:
        """`(b, 3, r, r)` normalised images on the device -> `(b, c, h, w)`."""
        if self._is_empty:
            return images
        with torch.inference_mode():
            return cast(Tensor, self._prefix(images.to(self._dtype)))


def fold_bn(module: nn.Module) -> nn.Module:
    """`module`, in evaluation mode, with each BN that directly follows a convolution folded in.

    Only within `nn.Sequential`, where what follows what is known.
    """
    for child in module.children():
        fold_bn(child)
    if type(module).forward is nn.Sequential.forward:
        names = list(module._modules)
        for name, following in zip(names, names[1:], strict=False):
            first, second = module._modules[name], module._modules[following]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module._modules[name] = fuse_conv_bn_eval(first, second)
                module._modules[following] = nn.Identity()
    return module
