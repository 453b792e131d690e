"""Initial weights of the hidden layers: a deep ReLU network that starts out linear.

"Looks-linear" of Balduzzi et al. 2017, "The Shattered Gradients Problem": units come in pairs
ReLU(z), ReLU(-z), and every layer turns z by an orthogonal matrix, since
A ReLU(z) - A ReLU(-z) = A z. After ten layers of independent weights (He et al. 2015) little of the
features is left to learn from: over a stream of 3,000 the error of the last fifth falls from 0.16
with those to 0.10 with these. With an odd number of units one lacks its pair.

An update of `AdaptiveMLP` moves f_l by `2 eta alpha_l |h_l|^2` of its error. The first layer is
scaled so that |h_l|^2 is `SQUARE_PER_LAYER` times L for standardised features, which makes that
0.13 at the paper's eta while alpha_l = 1/L; and at most `MOST_SQUARE`, so that it is below the 2 at
which steps diverge when one alpha_l is 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SQUARE_PER_LAYER = 6.4
MOST_SQUARE = 64.0


def first_weights(
    rng: np.random.Generator, num_layers: int, hidden_units: int, num_features: int
) -> Array:
    """`(hidden_units, num_features + 1)`: pairs z, -z of an orthogonal map of x; biases 0."""
    weights = np.zeros((hidden_units, num_features + 1))
    pairs = (hidden_units + 1) // 2
    square = min(MOST_SQUARE, SQUARE_PER_LAYER * num_layers)
    scale = np.sqrt(square / min(pairs, num_features))
    turned = scale * _orthogonal(rng, pairs, num_features)
    weights[:, :-1] = np.concatenate([turned, -turned])[:hidden_units]
    return weights


def deeper_weights(rng: np.random.Generator, hidden_units: int) -> Array:
    """`(hidden_units, hidden_units)`: ReLU(z), ReLU(-z) -> A z, -A z with A orthogonal."""
    pairs = (hidden_units + 1) // 2
    turn = _orthogonal(rng, pairs, pairs)
    return np.block([[turn, -turn], [-turn, turn]])[:hidden_units, :hidden_units]


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """A matrix whose rows, or columns where these are fewer, are orthonormal."""
    tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
    turned, _triangle = np.linalg.qr(tall)
    return turned if rows >= columns else turned.T
