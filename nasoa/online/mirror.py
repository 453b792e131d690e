"""Whether mirror images of a task are images of the same class.

They are for cats, not for digits or for traffic signs that say left or right; and an augmentation
by mirroring that is wrong costs more than it gains. So it is measured: a linear classifier is
fitted on features of one half of a sample and asked about the other half, as it is and mirrored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nasoa.training.probe import fit_linear

CRITICAL_Z = 2.5
LEAST_LOSS = 0.01


def mirror_safe(features: Tensor, mirrored: Tensor, labels: Tensor, num_classes: int) -> bool:
    """False where mirroring significantly turns right answers into wrong ones.

    McNemar's test on the held-out halves, one-sided.

    Args:
        features: `(n, d)` of the images as they are.
        mirrored: `(n, d)` of the mirrored images.
        labels: `(n,)`.
        num_classes: classes of the task.
    """
    even = torch.arange(len(labels)) % 2 == 0
    spoilt = mended = 0
    for fitted in (even, ~even):
        weight, bias = fit_linear(features[fitted], labels[fitted], num_classes, l2=1e-3)
        asked = ~fitted
        right = (features[asked] @ weight.T + bias).argmax(1) == labels[asked]
        right_mirrored = (mirrored[asked] @ weight.T + bias).argmax(1) == labels[asked]
        spoilt += int((right & ~right_mirrored).sum())
        mended += int((~right & right_mirrored).sum())
    loss = (spoilt - mended) / len(labels)
    z = (spoilt - mended) / math.sqrt(max(spoilt + mended, 1))
    return not (z > CRITICAL_Z and loss > LEAST_LOSS)
