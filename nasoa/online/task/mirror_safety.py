"""Whether mirror images of a task are images of the same class.

They are for cats, not for digits or for traffic signs that say left or right; and mirroring where
it is wrong costs more than it gains elsewhere. So the question is put to the data: a linear
classifier of coarse pixels is fitted twice to one half of a sample, without and with the mirror
images, and both are asked about the other half. (Features of a pretrained network will not do: it
was trained with mirror images, so left and right look the same to it.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from nasoa.training.ridge import fit_ridge

GREY_SIDE = 16
COLOUR_SIDE = 4
CRITICAL_Z = 3.0
LEAST_LOSS = 0.01
PENALTY = 0.1


def mirror_safe(images: Tensor, labels: Tensor, num_classes: int) -> bool:
    """False where the classifier that saw mirror images is significantly worse.

    McNemar's test, one-sided, over both halves.

    Args:
        images: `(n, 3, r, r)` uint8, in random order.
        labels: `(n,)`.
        num_classes: classes of the task.
    """
    plain, mirrored = coarse_pixels(images), coarse_pixels(images.flip(3))
    even = torch.arange(len(labels)) % 2 == 0
    spoilt = mended = 0
    for fitted in (even, ~even):
        asked = ~fitted
        alone = _right(plain, labels, plain[fitted], labels[fitted], num_classes)[asked]
        both = _right(
            plain,
            labels,
            torch.cat([plain[fitted], mirrored[fitted]]),
            labels[fitted].repeat(2),
            num_classes,
        )[asked]
        spoilt += int((alone & ~both).sum())
        mended += int((~alone & both).sum())
    loss = (spoilt - mended) / len(labels)
    z = (spoilt - mended) / math.sqrt(max(spoilt + mended, 1))
    return not (z > CRITICAL_Z and loss > LEAST_LOSS)


def coarse_pixels(images: Tensor) -> Tensor:
    """`(n, 3, r, r)` uint8 -> `(n, d)`: 16 x 16 grey, standardised by image, and 4 x 4 colours."""
    floats = images.float() / 255
    grey = functional.adaptive_avg_pool2d(floats.mean(dim=1, keepdim=True), GREY_SIDE).flatten(1)
    grey = (grey - grey.mean(dim=1, keepdim=True)) / grey.std(dim=1, keepdim=True).clamp(min=1e-3)
    colour = functional.adaptive_avg_pool2d(floats, COLOUR_SIDE).flatten(1)
    return torch.cat([grey, colour], dim=1)


def _right(
    asked: Tensor, answers: Tensor, features: Tensor, labels: Tensor, num_classes: int
) -> Tensor:
    """Which of `asked` a classifier fitted to `features` and `labels` gets right."""
    weight, bias = fit_ridge(features, labels, num_classes, PENALTY)
    return (asked @ weight.T + bias).argmax(dim=1) == answers
