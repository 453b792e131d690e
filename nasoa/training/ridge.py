"""A linear classifier on fixed features, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fit_ridge(
    features: Tensor, labels: Tensor, num_classes: int, penalty: float
) -> tuple[Tensor, Tensor]:
    """Ridge regression of one-hot labels on standardised features.

    Args:
        features: `(n, d)`.
        labels: `(n,)` in `range(num_classes)`.
        num_classes: rows of the weight.
        penalty: on the squared weights, a mean over images.

    Returns:
        weight `(num_classes, d)` and bias `(num_classes,)` for the features as they came.
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-5)
    rows = (features - mean) / std
    targets = functional.one_hot(labels, num_classes).to(rows)
    shares = targets.mean(dim=0)
    penalties = penalty * len(rows) * torch.eye(rows.shape[1]).to(rows)
    solution = torch.linalg.solve(rows.T @ rows + penalties, rows.T @ (targets - shares))
    weight = solution.T / std
    return weight, shares - weight @ mean
