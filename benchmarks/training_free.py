"""Scores of untrained networks that a search could use at almost no cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork


def synflow(network: StagedNetwork, resolution: int) -> float:
    """Tanaka et al. 2020: log of the sum of |weight x gradient| of a network made positive.

    Args:
        network: a network with fresh weights; it is changed.
        resolution: side of its input in pixels.
    """
    network.eval()
    with torch.no_grad():
        for value in network.state_dict().values():
            value.abs_()
    network.double().zero_grad()
    network(torch.ones(1, 3, resolution, resolution, dtype=torch.float64)).sum().backward()
    pairs = [(p, p.grad) for p in network.parameters() if p.grad is not None]
    total = torch.stack([(weight * gradient).abs().sum() for weight, gradient in pairs]).sum()
    return float(total.detach().log())


def naswot(network: StagedNetwork, images: Tensor) -> float:
    """Mellor et al. 2021: log-determinant of the similarity of active rectifiers between images.

    Args:
        network: a network with fresh weights.
        images: `(b, 3, r, r)` normalised images.
    """
    count = len(images)
    kernel = torch.zeros(count, count, dtype=torch.float64)

    def note(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        active = (output.flatten(1) > 0).float()
        kernel.add_((active @ active.T + (1 - active) @ (1 - active).T).double())

    rectifiers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    hooks = [module.register_forward_hook(note) for module in rectifiers]
    network.train()
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(kernel)[1])


def jacobian_covariance(network: StagedNetwork, images: Tensor) -> float:
    """Mellor et al. 2020: how uncorrelated gradients of images are, by the correlation spectrum.

    Args:
        network: a network with fresh weights.
        images: `(b, 3, r, r)` normalised images.
    """
    network.train()
    inputs = images.clone().requires_grad_(True)
    network(inputs).sum().backward()
    assert inputs.grad is not None
    values = torch.linalg.eigvalsh(torch.corrcoef(inputs.grad.flatten(1).double()))
    small = 1e-5
    return -float(((values + small).log() + 1.0 / (values + small)).sum())
