"""A linear classifier on fixed features: where the head of a fine-tune starts.

Fitting the head first keeps the pretrained features from being pulled about by a random head
(Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features"), and costs one pass.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MAX_ITERATIONS = 40


def fit_linear(features: Tensor, labels: Tensor, num_classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS, from zero.

    Args:
        features: `(n, d)`.
        labels: `(n,)` in `range(num_classes)`.
        num_classes: rows of the weight.
        l2: penalty on the squared weights of standardised features, a mean over images.

    Returns:
        weight `(num_classes, d)` and bias `(num_classes,)` for the features as they came.
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-5)
    standard = (features - mean) / std
    weight = torch.zeros(num_classes, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(num_classes, device=features.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = standard @ weight.T + bias
        value = functional.cross_entropy(logits, labels) + l2 * weight.square().sum()
        value.backward()
        return value

    # Thousands of tiny operations: one thread has them done before two have met.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        optimizer.step(loss)
    finally:
        torch.set_num_threads(threads)
    with torch.no_grad():
        unscaled = weight / std
        return unscaled.detach(), (bias - unscaled @ mean).detach()
