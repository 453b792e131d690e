"""A linear classifier on fixed features."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional

MAX_ITERATIONS = 60


def fit_linear(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    l2: float,
    max_iterations: int = MAX_ITERATIONS,
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS, from zero.

    Args:
        features: `(n, d)`.
        labels: `(n,)` in `range(num_classes)`.
        num_classes: rows of the weight.
        l2: penalty on the squared weights of standardised features, a mean over images.
        max_iterations: the search ends after so many.

    Returns:
        weight `(num_classes, d)` and bias `(num_classes,)` for the features as they came.
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-5)
    # The last column is the bias.
    design = torch.cat([(features - mean) / std, torch.ones_like(features[:, :1])], dim=1)
    shape = (num_classes, design.shape[1])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = torch.from_numpy(flat.reshape(shape)).to(design)
        logits = design @ weight.T
        penalised = weight.clone()
        penalised[:, -1] = 0.0
        value = functional.cross_entropy(logits, labels) + l2 * penalised.square().sum()
        surplus = logits.softmax(dim=1)
        surplus[torch.arange(len(labels)), labels] -= 1.0
        gradient = surplus.T @ design / len(labels) + 2 * l2 * penalised
        return value.item(), gradient.double().cpu().numpy().ravel()

    # Thousands of small operations: one thread has them done before two have met, and where
    # others use the machine too, waiting for each other took a hundred times as long.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = minimize(
            loss,
            np.zeros(shape).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iterations},
        ).x
    finally:
        torch.set_num_threads(threads)
    solution = torch.from_numpy(found.reshape(shape)).to(design)
    weight = solution[:, :-1] / std
    return weight, solution[:, -1] - weight @ mean
