"""The loss of a student: the teacher's features and its predictions from them.

The head of the student outputs features like the teacher's, and the teacher's own classifier turns
them into class predictions. So one head learns both from soft labels (Hinton et al. 2015) and from
features (Romero et al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class TeachingLoss:
    """The distance of a student's features from those of its teacher.

    It is the cross-entropy of the teacher's classes, plus `feature_weight` times the fraction of
    the features' variance that is unexplained.

    Args:
        logits: `(b, d)` features -> `(b, k)` logits of the teacher's classes.
        feature_weight: weight of the unexplained variance.
    """

    logits: Callable[[Tensor], Tensor]
    feature_weight: float = 1.0

    def __call__(self, features: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of `(b, d)` standardised features of the student and the teacher."""
        soft = F.cross_entropy(self.logits(features), self.logits(targets).softmax(dim=1))
        return soft + self.feature_weight * unexplained(features, targets)


def unexplained(features: Tensor, targets: Tensor) -> Tensor:
    """Return the fraction of the variance of `(b, d)` standardised targets that features leave.

    0 is perfect; 1 is the result of always predicting 0.
    """
    return ((features - targets) ** 2).mean() / (targets**2).mean()


def fraction_learned(logits: Tensor, targets: Tensor) -> float:
    """Return how much of a teacher's predictions a student has learned: 1 is all.

    It is one minus the Kullback-Leibler divergence from teacher to student, divided by that from
    the teacher to its own average prediction; 0 if the student is no better than that average.

    Args:
        logits: `(n, k)` logits of the student.
        targets: `(n, k)` logits of the teacher.
    """
    said = targets.log_softmax(dim=1)
    average = said.exp().mean(dim=0).log().expand_as(said)
    divergence = partial(F.kl_div, target=said, log_target=True, reduction="batchmean")
    left = float(divergence(logits.log_softmax(dim=1)) / divergence(average))
    return max(0.0, 1.0 - left)
