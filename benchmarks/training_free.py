"""Scores of untrained networks that a search could use at almost no cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from nasoa.arch import ArchSpec, StagedNetwork, build_network, measure_cost
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.data.augment import to_float
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD

IMAGES = 32  # in the batch of scores that look at images
FIRST_SEED = 20  # of weights and batches, so that no training has the same initial weights


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


# Of a network with fresh weights, a normalised batch and the resolution.
TRAINING_FREE: dict[str, Callable[[StagedNetwork, Tensor, int], float]] = {
    "synflow": lambda network, _images, resolution: synflow(network, resolution),
    "naswot": lambda network, images, _resolution: naswot(network, images),
    "jacobian": lambda network, images, _resolution: jacobian_covariance(network, images),
    "macs": lambda network, _images, resolution: float(measure_cost(network, resolution).macs),
    "params": lambda network, _images, resolution: float(measure_cost(network, resolution).params),
}


def score(
    name: str, spec: ArchSpec, data: ImageDataset, config: EvaluateConfig, seed: int
) -> float:
    """Return a score of `TRAINING_FREE` of an architecture with fresh weights.

    Args:
        name: name of the score.
        spec: the architecture.
        data: the proxy, of which a batch is drawn.
        config: resolution of the images.
        seed: random seed of weights and batch.
    """
    torch.manual_seed(FIRST_SEED + seed)
    network = build_network(spec, len(data.class_names))
    return TRAINING_FREE[name](
        network, mixed_batch(data, config.resolution, seed), config.resolution
    )


def mixed_batch(data: ImageDataset, resolution: int, seed: int) -> Tensor:
    """Return `(b, 3, r, r)` normalised training images, drawn at random from all classes.

    The images of a split are sorted by class, so the first ones would all be of one class.
    """
    rng = np.random.default_rng(FIRST_SEED + seed)
    indices = torch.from_numpy(rng.choice(len(data.train), IMAGES, replace=False))
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    images = to_float(data.train.images(indices), resolution)
    return (images - mean[:, None, None]) / std[:, None, None]
