"""Online ridge regression on encoded rows."""

from __future__ import annotations

import numpy as np

from nasoa.online.evaluation.baselines.encoded import EncodedPredictor
from nasoa.online.evaluation.baselines.linear import BayesianLinear
from nasoa.online.mixture.layout import Array, State


class RidgePredictor(EncodedPredictor):
    """Bayesian linear regression on numbers, their squares, and categories.

    With squares the best learning rate can be inside the range.
    """

    def _fresh(self, width: int) -> BayesianLinear:
        return BayesianLinear(width)

    def _restored(self, state: State) -> BayesianLinear:
        return BayesianLinear.from_state(state)

    def _inputs(self, rows: Array) -> Array:
        columns = self._encoding.encode(rows)
        squares = columns[:, : self._encoding.num_numbers] ** 2
        return np.concatenate([columns, squares], axis=1)
