"""The linear classifier against scikit-learn's."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from nasoa.training.probe import fit_linear


@pytest.mark.parametrize("num_classes", [3, 5])
def test_it_is_the_regularised_optimum(num_classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(num_classes, 8, generator=generator)
    labels = torch.randint(num_classes, (200,), generator=generator)
    features = 3 * (centres[labels] + torch.randn(200, 8, generator=generator)) + 5
    l2 = 1e-2
    weight, bias = fit_linear(features, labels, num_classes, l2, max_iterations=500)

    standard = ((features - features.mean(0)) / features.std(0, correction=0)).double().numpy()
    # scikit-learn minimises C times the sum of losses plus half the squares.
    known = LogisticRegression(C=1 / (2 * l2 * 200), max_iter=5000, tol=1e-10)
    known.fit(standard, labels.numpy())
    expected = torch.from_numpy(known.predict_proba(standard))
    found = (features @ weight.T + bias).softmax(dim=1).double()
    assert torch.allclose(found, expected, atol=5e-3)
