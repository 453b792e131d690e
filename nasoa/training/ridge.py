"""Fit a linear classifier on fixed features in closed form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fit_ridge(
    features: Tensor, labels: Tensor, num_classes: int, penalty: float
) -> tuple[Tensor, Tensor]:
    """Fit one-hot labels by ridge regression on standardised features.

    Args:
        features: `(n, d)` features.
        labels: `(n,)` class numbers.
        num_classes: number of classes.
        penalty: factor on the squared weights, which are added to the mean squared error.

    Returns:
        Weight `(num_classes, d)` and bias `(num_classes,)` for features that are not standardised.
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-5)
    rows = (features - mean) / std
    targets = functional.one_hot(labels, num_classes).to(rows)
    shares = targets.mean(dim=0)
    penalties = penalty * len(rows) * torch.eye(rows.shape[1]).to(rows)
    solution = torch.linalg.solve(rows.T @ rows + penalties, rows.T @ (targets - shares))
    weight = solution.T / std
    return weight, shares - weight @ mean
