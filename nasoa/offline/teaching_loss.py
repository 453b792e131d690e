"""What a student is taught: the teacher's features, and what they mean.

The student's head gives features of the teacher's kind, and the teacher's own classifier tells what
they mean. So one head learns from soft labels (Hinton et al. 2015) and from features (Romero et al.
2015) alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class TeachingLoss:
    """What a student's features are off those of its teacher.

    The cross-entropy of the teacher's classes, plus `feature_weight` times the share of the
    features' variance that is left unexplained.

    Args:
        logits: `(b, d)` features -> `(b, k)` logits of the teacher's classes.
        feature_weight: see above.
    """

    logits: Callable[[Tensor], Tensor]
    feature_weight: float = 1.0

    def __call__(self, features: Tensor, targets: Tensor) -> Tensor:
        """`(b, d)` of the student and of the teacher, standardised -> a number."""
        soft = F.cross_entropy(self.logits(features), self.logits(targets).softmax(dim=1))
        return soft + self.feature_weight * unexplained(features, targets)


def unexplained(features: Tensor, targets: Tensor) -> Tensor:
    """The share of the variance of `(b, d)` standardised targets that `(b, d)` features leave.

    0 is perfect; 1 is what saying 0 always would leave.
    """
    return ((features - targets) ** 2).mean() / (targets**2).mean()


def share_learned(logits: Tensor, targets: Tensor) -> float:
    """How much of what a teacher says of images a student has learned to say: 1 is all.

    One less the divergence of Kullback and Leibler from teacher to student, over that from the
    teacher to what it says of images on average; 0 where that is no better.

    Args:
        logits: `(n, k)` of the student.
        targets: `(n, k)` of the teacher.
    """
    said = targets.log_softmax(dim=1)
    average = said.exp().mean(dim=0).log().expand_as(said)
    divergence = partial(F.kl_div, target=said, log_target=True, reduction="batchmean")
    left = float(divergence(logits.log_softmax(dim=1)) / divergence(average))
    return max(0.0, 1.0 - left)
