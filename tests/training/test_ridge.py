"""The linear classifier in closed form, compared with scikit-learn's."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional

from nasoa.training.ridge import fit_ridge


@pytest.mark.parametrize(("num_images", "width"), [(200, 8), (20, 50)])
@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_it_is_the_ridge_regression_of_standardised_features(
    num_images: int, width: int, penalty: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, width, generator=generator)
    labels = torch.randint(4, (num_images,), generator=generator)
    features = centres[labels] + torch.randn(num_images, width, generator=generator)
    # Channels of different scales, far from zero.
    features = features * torch.logspace(-2, 2, width) + 5
    weight, bias = fit_ridge(features, labels, 4, penalty)

    exact = features.double()
    standard = ((exact - exact.mean(0)) / exact.std(0, correction=0)).numpy()
    # scikit-learn adds the penalty to the sum of squares, not to their mean.
    known = Ridge(alpha=penalty * num_images)
    known.fit(standard, functional.one_hot(labels, 4).double().numpy())
    expected = torch.from_numpy(known.predict(standard))
    found = exact @ weight.T.double() + bias
    assert torch.allclose(found, expected, atol=2e-3)


def test_constant_features_and_a_class_without_images_are_no_obstacle() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 2]).repeat(20)
    features = torch.randn(40, 3, generator=generator) + labels[:, None]
    features[:, 1] = 7.0
    weight, bias = fit_ridge(features, labels, 4, 0.1)
    assert weight.isfinite().all()
    assert bias.isfinite().all()
    without = fit_ridge(features[:, [0, 2]], labels, 4, 0.1)
    answers = features @ weight.T + bias
    assert torch.allclose(answers, features[:, [0, 2]] @ without[0].T + without[1], atol=1e-4)
    assert set(answers.argmax(dim=1).tolist()) == {0, 2}
