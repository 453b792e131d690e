"""Arm (a): what a person would write first, a full fine-tune of ET-NAS-A from a fresh head.

SGD with Nesterov momentum, learning rate 0.1, batch 64, label smoothing, flips and small shifts,
one cosine over the time, all training images at 64 px.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.data import PlainData, read
from benchmarks.plain.schedule import cosine_rates
from nasoa.training.precision import best_precision
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.networks import load_network

LR = 0.1
BATCH = 64
SHIFT = 4
RESOLUTION = 64


def run(data: str, limit_s: float, seed: int) -> dict[str, object]:
    """Train for the limit, which includes reading the data; test afterwards, not counted."""
    began = time.perf_counter()
    images = read(data, seed, RESOLUTION)
    zoo, precision = packaged_zoo(), best_precision()
    entry = zoo.entry(REFERENCE_MODEL)
    torch.manual_seed(seed)
    network = load_network(entry, zoo.weights(entry.name), images.num_classes)
    precision.place(network).train()
    optimizer = torch.optim.SGD(
        network.parameters(), LR, momentum=0.9, nesterov=True, weight_decay=5e-4
    )

    def logits(batch: Tensor) -> Tensor:
        placed = precision.normalise(batch / 255, entry.mean, entry.std)
        with precision.autocast():
            result: Tensor = network(placed)
        return result.float()

    iterations = 0
    for lr in cosine_rates(LR, began, limit_s):
        for group in optimizer.param_groups:
            group["lr"] = lr
        batch, labels = _batch(images, iterations, seed)
        loss = functional.cross_entropy(
            logits(batch), labels.to(precision.device), label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        iterations += 1
    elapsed_s = time.perf_counter() - began
    network.eval()
    with torch.inference_mode():
        answers = [logits(part.float()).argmax(1).cpu() for part in images.test.split(256)]
    return {
        "accuracy": (torch.cat(answers) == images.test_labels).double().mean().item(),
        "elapsed_s": elapsed_s,
        "size": RESOLUTION,
        "epochs": iterations * BATCH / len(images.train),
    }


def _batch(images: PlainData, iteration: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return a random batch, randomly mirrored and shifted by some pixels."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
    indices = torch.randint(len(images.train), (BATCH,), generator=generator)
    batch = images.train[indices].float()
    if torch.rand(1, generator=generator) < 0.5:
        batch = batch.flip(3)
    padded = functional.pad(batch, (SHIFT,) * 4, mode="reflect")
    top, left = torch.randint(2 * SHIFT + 1, (2,), generator=generator).tolist()
    shifted = padded[:, :, top : top + RESOLUTION, left : left + RESOLUTION]
    return shifted, images.train_labels[indices]
