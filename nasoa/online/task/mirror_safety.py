"""Detect whether mirrored images of a task keep their class.

Images of cats do; digits and traffic signs that point left or right do not, and mirroring these
costs more accuracy than mirroring gains elsewhere. So this is tested on the data: a linear
classifier on coarse pixels is fitted twice to one half of a sample, without and with mirrored
images, and both fits are evaluated on the other half. (Features of a pretrained network are not
suitable: it was trained with mirrored images, so it hardly distinguishes left from right.)
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
    """Return False if the classifier fitted with mirrored images is significantly worse.

    Uses a one-sided McNemar test over both halves.

    Args:
        images: `(n, 3, r, r)` uint8, in random order.
        labels: `(n,)` labels of the images.
        num_classes: number of classes of the task.
    """
    plain, mirrored = coarse_pixels(images), coarse_pixels(images.flip(3))
    even = torch.arange(len(labels)) % 2 == 0
    only_plain = only_mirrored = 0
    for fitted in (even, ~even):
        asked = ~fitted
        alone = _is_right(plain, labels, plain[fitted], labels[fitted], num_classes)[asked]
        both = _is_right(
            plain,
            labels,
            torch.cat([plain[fitted], mirrored[fitted]]),
            labels[fitted].repeat(2),
            num_classes,
        )[asked]
        only_plain += int((alone & ~both).sum())
        only_mirrored += int((~alone & both).sum())
    loss = (only_plain - only_mirrored) / len(labels)
    z = (only_plain - only_mirrored) / math.sqrt(max(only_plain + only_mirrored, 1))
    return not (z > CRITICAL_Z and loss > LEAST_LOSS)


def coarse_pixels(images: Tensor) -> Tensor:
    """Return `(n, d)` coarse pixels of `(n, 3, r, r)` uint8 images.

    These are 16 x 16 grey values, standardised per image, and 4 x 4 colours.
    """
    floats = images.float() / 255
    grey = functional.adaptive_avg_pool2d(floats.mean(dim=1, keepdim=True), GREY_SIDE).flatten(1)
    grey = (grey - grey.mean(dim=1, keepdim=True)) / grey.std(dim=1, keepdim=True).clamp(min=1e-3)
    colour = functional.adaptive_avg_pool2d(floats, COLOUR_SIDE).flatten(1)
    return torch.cat([grey, colour], dim=1)


def _is_right(
    asked: Tensor, answers: Tensor, features: Tensor, labels: Tensor, num_classes: int
) -> Tensor:
    """Return which of `asked` a classifier fitted to `features` classifies correctly."""
    weight, bias = fit_ridge(features, labels, num_classes, PENALTY)
    return (asked @ weight.T + bias).argmax(dim=1) == answers
