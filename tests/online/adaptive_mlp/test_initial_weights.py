"""The initial network is linear and has the documented scale."""

from __future__ import annotations

import numpy as np
import pytest

from nasoa.online.adaptive_mlp.initial_weights import deeper_weights, first_weights


@pytest.mark.parametrize("num_features", [5, 16, 40])
def test_every_layer_is_linear_in_the_features(num_features: int) -> None:
    rng = np.random.default_rng(0)
    first = first_weights(rng, 10, 32, num_features)[:, :-1]
    deeper = [deeper_weights(rng, 32) for _ in range(4)]

    def signals(x: np.ndarray) -> list[np.ndarray]:
        z = x @ first.T
        found = [z]
        for weights in deeper:
            z = np.maximum(z, 0) @ weights.T
            found.append(z)
        return found

    a, b = rng.normal(size=(2, 50, num_features))
    for of_sum, of_a, of_b in zip(signals(a + 2 * b), signals(a), signals(b), strict=True):
        np.testing.assert_allclose(of_sum, of_a + 2 * of_b, atol=1e-9)


@pytest.mark.parametrize(("num_layers", "square"), [(10, 64.0), (2, 12.8), (30, 64.0)])
@pytest.mark.parametrize("num_features", [4, 40])
def test_hidden_square_for_standardised_features(
    num_layers: int, square: float, num_features: int
) -> None:
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(4000, num_features))
    hidden = np.maximum(hidden @ first_weights(rng, num_layers, 64, num_features)[:, :-1].T, 0)
    for _ in range(3):
        assert np.square(hidden).sum(axis=1).mean() == pytest.approx(square, rel=0.05)
        hidden = np.maximum(hidden @ deeper_weights(rng, 64).T, 0)


def test_an_odd_number_of_units() -> None:
    rng = np.random.default_rng(1)
    assert first_weights(rng, 3, 7, 4).shape == (7, 5)
    assert deeper_weights(rng, 7).shape == (7, 7)
