"""A linear classifier on fixed features."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor

MAX_ITERATIONS = 60


def fit_linear(
    features: Tensor, labels: Tensor, num_classes: int, l2: float
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS, from zero.

    Args:
        features: `(n, d)`.
        labels: `(n,)` in `range(num_classes)`.
        num_classes: rows of the weight.
        l2: penalty on the squared weights of standardised features, a mean over images.

    Returns:
        weight `(num_classes, d)` and bias `(num_classes,)` for the features as they came.
    """
    x = features.double().cpu().numpy()
    mean, std = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-5)
    # The last column is the bias.
    design = np.column_stack([(x - mean) / std, np.ones(len(x))])
    target = np.zeros((len(x), num_classes))
    target[np.arange(len(x)), labels.cpu().numpy()] = 1.0
    shape = (num_classes, design.shape[1])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = flat.reshape(shape)
        log_probabilities = log_softmax(design @ weight.T, axis=1)
        penalised = weight.copy()
        penalised[:, -1] = 0.0
        value = -(target * log_probabilities).sum() / len(x) + l2 * np.square(penalised).sum()
        gradient = (np.exp(log_probabilities) - target).T @ design / len(x) + 2 * l2 * penalised
        return float(value), gradient.ravel()

    # A short search: the classifier is wanted within a fraction of a second.
    found = minimize(
        loss,
        np.zeros(shape).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS},
    ).x.reshape(shape)
    weight = found[:, :-1] / std
    bias = found[:, -1] - weight @ mean
    device = features.device
    return torch.from_numpy(weight).float().to(device), torch.from_numpy(bias).float().to(device)
