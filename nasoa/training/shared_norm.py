"""Batch normalisation with statistics over the images of all processes.

torch provides it for GPUs only (`nn.SyncBatchNorm`). Without it, two processes with half a batch
each would not train the same network as one process with the full batch.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; the backward pass sums the gradients likewise."""

    @staticmethod
    def forward(_context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with training statistics over all processes, on any device.

    All processes must have the same number of images.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
        """Return the normalised `(b, c, h, w)` input."""
        if not self.training:
            return super().forward(input)
        count, rank = distributed.get_world_size(), distributed.get_rank()
        values = input.float()
        own = torch.stack([values.mean((0, 2, 3)), values.var((0, 2, 3), correction=0)])
        # Exchange the mean and variance of each process. Computed from sums of squares, a small
        # variance would be lost to rounding, and its inverse would be wrong.
        rows = [own if number == rank else torch.zeros_like(own) for number in range(count)]
        means, variances = cast(Tensor, _Sum.apply(torch.stack(rows, dim=1)))
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._follow(mean.detach(), variance.detach(), count * values[:, 0].numel())
        scale = self.weight * (variance + self.eps).rsqrt()
        centred = values - mean[:, None, None]
        normalised: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalised.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor, num_values: int) -> None:
        """Update the running statistics as torch does, with the unbiased variance."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * num_values / max(num_values - 1, 1), self.momentum)


def with_shared_statistics(network: nn.Module) -> nn.Module:
    """Return a copy of a network whose `nn.BatchNorm2d` layers share statistics.

    The keys of its state dictionary stay the same.
    """
    copied = copy.deepcopy(network)
    if torch.cuda.is_available():
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(copied)
        return converted
    for name, module in list(copied.named_modules()):
        if type(module) is nn.BatchNorm2d:
            parent, _, own = name.rpartition(".")
            setattr(copied.get_submodule(parent), own, _shared(module))
    return copied


def _shared(norm: nn.BatchNorm2d) -> SharedBatchNorm:
    shared = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum)
    shared.weight, shared.bias = norm.weight, norm.bias
    shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
    shared.num_batches_tracked = norm.num_batches_tracked
    return shared
