"""The costs of an architecture: counted, and timed on this node (7.2: the parent node)."""

from __future__ import annotations

import torch
from torch import Tensor

from nasoa.arch import ArchSpec, StagedNetwork, build_network, measure_cost
from nasoa.config import EvaluateConfig
from nasoa.records import ArchCosts
from nasoa.training.hardware import hardware_key
from nasoa.training.precision import Precision, precision_for
from nasoa.training.timing import TimedSteps

WEIGHT_COPIES = 3  # the weights, their gradients and their momentum
FLOAT_BYTES = 4


def measure(spec: ArchSpec, num_classes: int, config: EvaluateConfig) -> ArchCosts:
    """Measure the costs of a network with fresh weights; nothing else should run on the node.

    Args:
        spec: the architecture.
        num_classes: number of classes of the head.
        config: resolution, batch size and repeats.

    Raises:
        MemoryError: a batch does not fit into memory.
    """
    torch.manual_seed(config.seed)
    network = build_network(spec, num_classes)
    precision = precision_for(network)
    cost = measure_cost(network, config.resolution)
    timed = TimedSteps(
        network,
        precision,
        frozen_stages=-1,
        resolution=config.resolution,
        batch_size=config.step_batch_size,
    )
    return ArchCosts(
        encoding=str(spec),
        resolution=config.resolution,
        batch_size=config.step_batch_size,
        step_time_ms=1000 * timed.step_s(config.repeats),
        inference_ms=1000 * timed.forward_s(config.repeats),
        train_memory_bytes=_train_memory(network, precision, config),
        macs=cost.macs,
        params=cost.params,
        activations=cost.activations,
        hardware=hardware_key(),
    )


def _train_memory(network: StagedNetwork, precision: Precision, config: EvaluateConfig) -> int:
    """Return the bytes of a training step: copies of the weights and what autograd saves."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    side = config.resolution
    images = precision.place_images(torch.zeros(config.step_batch_size, 3, side, side))
    network.train()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        with precision.autocast():
            logits = network(images)
        weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        activations = sum(nbytes for place, nbytes in kept.items() if place not in weights)
        del logits
    num_params = sum(parameter.numel() for parameter in network.parameters())
    return activations + WEIGHT_COPIES * FLOAT_BYTES * num_params
