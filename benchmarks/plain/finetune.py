"""Arm (c): a plain fine-tune of EfficientNet-Lite0, at the largest size at which five epochs fit.

All layers and a fresh head; SGD with Nesterov momentum, learning rate 0.01 and one cosine over the
time; batch 64, flips, label smoothing; in bfloat16 or float32, whichever has the faster step here.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.plain.data import read, survey
from benchmarks.plain.lite import (
    BATCH,
    NUM_FEATURES,
    candidate_sizes,
    largest_size,
    lite0,
    normalised,
    precisions,
    timed,
)
from benchmarks.plain.schedule import cosine_rates
from nasoa.data import BatchOrder
from nasoa.training.precision import Precision

LR = 0.01
WEIGHT_DECAY = 1e-4
EPOCHS = 5
# The package's 0.01 is for long trainings: after a hundred iterations, a third of the statistics
# that evaluation uses would still be those of ImageNet.
NORM_MOMENTUM = 0.1
DECODING_SLACK = 1.2


class Trainer:
    """A pretrained network with a fresh head, and its optimiser.

    Args:
        size: side of the images in pixels.
        num_classes: outputs of the head.
        precision: device and number format.
    """

    def __init__(self, size: int, num_classes: int, precision: Precision) -> None:
        self._precision = precision
        self._network = lite0(size, nn.Linear(NUM_FEATURES, num_classes))
        for module in self._network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = NORM_MOMENTUM
        precision.place(self._network).train()
        self._optimizer = torch.optim.SGD(
            self._network.parameters(), LR, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
        )

    def step(self, images: Tensor, labels: Tensor, lr: float) -> Tensor:
        """Update on uint8 `(b, 3, size, size)` images, each randomly mirrored; return the loss."""
        mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
        flipped = torch.where(mirrored, images.flip(3), images)
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        loss = functional.cross_entropy(
            self._logits(flipped), labels.to(self._precision.device), label_smoothing=0.1
        )
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def classes(self, images: Tensor) -> Tensor:
        """Return the `(n,)` most likely class of each uint8 image."""
        self._network.eval()
        with torch.inference_mode():
            answers = [self._logits(part).argmax(1).cpu() for part in images.split(BATCH)]
        return torch.cat(answers)

    def _logits(self, images: Tensor) -> Tensor:
        with self._precision.autocast():
            logits: Tensor = self._network(normalised(images, self._precision))
        return logits.float()


def run(data: str, limit_s: float, seed: int) -> dict[str, object]:
    """Train within the limit, which includes reading the data; test afterwards, not counted."""
    began = time.perf_counter()
    torch.manual_seed(seed)
    found = survey(data)
    sizes = candidate_sizes(found.image_resolution)
    precision = _fastest_precision(sizes[0], found.num_classes)
    size = largest_size(
        sizes,
        lambda size: _step_s(size, found.num_classes, precision),
        EPOCHS * found.num_train / BATCH,
        began + limit_s - DECODING_SLACK * found.image_s * found.num_images,
    )
    images = read(data, seed, size)
    trainer = Trainer(size, images.num_classes, precision)
    order = BatchOrder(len(images.train), min(BATCH, len(images.train)), seed)
    iterations = 0
    for lr in cosine_rates(LR, began, limit_s):
        indices = order.indices(iterations)
        trainer.step(images.train[indices], images.train_labels[indices], lr)
        iterations += 1
    elapsed_s = time.perf_counter() - began
    right = trainer.classes(images.test) == images.test_labels
    return {
        "accuracy": right.double().mean().item(),
        "elapsed_s": elapsed_s,
        "size": size,
        "epochs": iterations * order.batch_size / len(images.train),
        "dtype": str(precision.autocast_dtype or torch.float32).removeprefix("torch."),
    }


def _fastest_precision(size: int, num_classes: int) -> Precision:
    choices = precisions()
    if len(choices) == 1:
        return choices[0]
    return min(choices, key=lambda precision: _step_s(size, num_classes, precision))


def _step_s(size: int, num_classes: int, precision: Precision) -> float:
    """Return the seconds of a training step of a network that is then discarded."""
    trainer = Trainer(size, num_classes, precision)
    return timed(
        lambda images: trainer.step(images, torch.randint(num_classes, (len(images),)), LR), size
    )
